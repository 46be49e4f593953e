"""What it looks like when the database does not answer: the errors of PEP 249 that are not a query's."""

from __future__ import annotations

from typing import Final

from django.db import InterfaceError, OperationalError

AWAY: Final = (OperationalError, InterfaceError)
