"""Signs of life, of two kinds.

A row (`Pulse`) says to everybody, on whatever host, when a worker, the beat or its tick was last heard of. A file says
to the watchdog on this host that a process lives, also while the database is away. Rows are compared by the database's
clock, files by the host's.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from lbftp.database import now
from lbftp.health.models import Pulse

TICK: Final = "tick"
BEAT: Final = "beat"
WORKER: Final = "worker "
# Of a host that has no worker any more.
_KEEP: Final = timedelta(days=1)


def record_sign(*, name: str) -> None:
    """`name` is alive now: BEAT, or WORKER and the host's name."""
    at = now()
    Pulse.objects.update_or_create(name=name[:64], defaults={"at": at})
    Pulse.objects.filter(name__startswith=WORKER, at__lt=at - _KEEP).delete()


def record_tick(*, now: datetime) -> None:
    """The beat's tick arrived at a worker. `now` is the database's time."""
    Pulse.objects.update_or_create(name=TICK, defaults={"at": now})


def age_of(pulse: Pulse) -> timedelta:
    """How long ago that was, never negative."""
    return max(now() - pulse.at, timedelta(0))


def show_life() -> None:
    """Touches this process's file, which the watchdog looks at (ops/watchdog.py). Asks nobody and waits for nothing."""
    folder = settings.VAR / "alive"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / str(os.getpid())
    path.touch(mode=0o600)
