"""Counting and then writing as one step, on every database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from lbftp.accounts.models import Gate


@contextmanager
def alone(name: str) -> Iterator[None]:
    """A transaction that nobody else is in who gave the same `name`."""
    # Made outside: on PostgreSQL a row that is not committed yet would let two through.
    Gate.objects.get_or_create(name=name)
    with transaction.atomic():
        Gate.objects.select_for_update().get(name=name)
        yield
