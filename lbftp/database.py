"""The database beside its rows: what it looks like when it does not answer, and what time it is there.

Hosts' clocks differ, by seconds or by an hour. So whatever is stored as a time and compared later, such as heartbeats,
leases, due times and claims, comes from one clock: the database's. `django.utils.timezone.now` is for what is neither.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

# The errors of PEP 249 that are not a query's.
AWAY: Final = (OperationalError, InterfaceError)


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
