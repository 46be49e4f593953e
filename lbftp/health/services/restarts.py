"""What the watchdog did lately. It leaves a file, so that this is told while the database is away as well."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from django.conf import settings
from django.utils import timezone

Kept = TypeVar("Kept", list[Any], dict[str, Any])

# How long after a restart pages speak of it.
_TOLD_FOR: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Restart:
    """`program` was ended at `at` and started again, for `reason`."""

    program: str
    at: datetime
    reason: str


def recent_restarts() -> list[Restart]:
    """Of the last minutes, the newest first; of each program only the newest."""
    since = timezone.now() - _TOLD_FOR
    newest: dict[str, Restart] = {}
    for entry in _kept("restarts", list):
        restart = _read(entry)
        if restart and restart.at >= since:
            newest[restart.program] = restart
    return sorted(newest.values(), key=lambda one: one.at, reverse=True)


def held_back() -> list[str]:
    """Programs that are silent now and were so again and again: each restart waits longer than the one before."""
    return sorted(str(name) for name in _kept("held", dict))


def _kept(part: str, kind: type[Kept]) -> Kept:
    """What the watchdog keeps under `part`; empty if there is none, or none that this version can read."""
    try:
        found = json.loads((settings.VAR / "alive" / "restarts.json").read_text())[part]
    except (OSError, ValueError, KeyError, TypeError):
        return kind()
    return found if isinstance(found, kind) else kind()


def _read(entry: Any) -> Restart | None:
    try:
        return Restart(str(entry["program"]), datetime.fromtimestamp(entry["at"], UTC), str(entry["reason"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
