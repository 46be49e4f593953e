"""What happens in a run, in order and without a gap: rows first, one hint after commit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from lbftp.changes.models import Run, RunEvent
from lbftp.changes.services import claims
from lbftp.core.job import Event
from lbftp.live import publish


def record(*, run_id: int, fence: int, events: Sequence[Event]) -> int:
    """Stores `events` under the next sequence numbers; returns the last one. LostClaim if `fence` is an old claim's."""
    with transaction.atomic():
        return append(claims.holding(run_id, fence), events)


def append(run: Run, events: Sequence[Event]) -> int:
    """`record` for a caller that holds the run's row locked."""
    last = run.events.order_by("-seq").values_list("seq", flat=True).first() or 0
    now = timezone.now()
    RunEvent.objects.bulk_create(
        RunEvent(run=run, seq=last + n, at=now, kind=e.kind, router=e.router[:32], data=printable(e.data))
        for n, e in enumerate(events, start=1)
    )
    last += len(events)
    if events:
        transaction.on_commit(partial(publish.run_hint, run.pk, last))
    return last


def printable(value: Any) -> Any:
    """`value` without what PostgreSQL's JSON refuses (NUL, lone surrogates): routers may print any bytes."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {printable(k): printable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [printable(v) for v in value]
    return value
