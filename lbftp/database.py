"""The database beside its rows: what it looks like when it does not answer, and what time it is there.

Hosts' clocks differ, by seconds or by an hour. So whatever is stored as a time and compared later, such as heartbeats,
leases, due times and claims, comes from one clock: the database's. `django.utils.timezone.now` is for what is neither.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.db import InterfaceError, OperationalError, connection
from django.db.backends.signals import connection_created
from django.utils import timezone

# The errors of PEP 249 that are not a query's.
AWAY: Final = (OperationalError, InterfaceError)

# What a page waits for at most; SQLite's limit is in the settings.
_LIMITS: Final = {
    "statement_timeout": "30s",
    "lock_timeout": "15s",
    "idle_in_transaction_session_timeout": "60s",
}


def limit_waits() -> None:
    """From now on this process's statements on PostgreSQL end by themselves, with one of AWAY's errors. For the web
    process: a migration or a worker may well take longer."""
    connection_created.connect(_limit, dispatch_uid="lbftp.limit_waits")


def _limit(connection: Any, **_: Any) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for name, value in _LIMITS.items():
                cursor.execute(f"SET {name} = '{value}'")


def now() -> datetime:
    """The database's time, for what is stored or compared with what is stored. Costs a query, but none with SQLite: its
    clock is this host's, which everybody who has the file shares.

    A value and no expression (`Now()`): what was claimed at it is compared with exactly it afterwards.
    """
    if connection.vendor == "sqlite":
        return timezone.now()
    with connection.cursor() as cursor:
        # The transaction's own time may be long ago where it waited for a lock.
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found
