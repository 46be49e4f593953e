"""Whether everything that lbftp needs is there, each part with a sentence for who has to put it right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import redis
from django.conf import settings
from django.db import DatabaseError, connection

from lbftp import database, dispatch
from lbftp.health.models import Pulse

_TICK: Final = "tick"
# Ticks may be missed while a worker is busy starting; after this many in a row something is wrong.
_TICKS_MISSED: Final = 4


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that has to work. `message` says what was seen, and what to do if it is not `ok`."""

    name: str
    ok: bool
    message: str


def record_tick(*, now: datetime) -> None:
    """The beat's tick arrived at a worker."""
    Pulse.objects.update_or_create(name=_TICK, defaults={"at": now})


def readiness() -> list[Part]:
    """All parts; without the database nothing else is asked."""
    database = _database()
    if not database.ok:
        return [database]
    return [database, *(check() for check in _CHECKS)]


def _database() -> Part:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError as error:
        return Part("database", False, f"It does not answer ({type(error).__name__}): see LBFTP_DATABASE_URL.")
    return Part("database", True, "It answers.")


def _redis() -> Part:
    try:
        with redis.Redis.from_url(settings.CHANNELS_URL, socket_connect_timeout=2, socket_timeout=2) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        return Part("redis", False, f"It does not answer ({type(error).__name__}): is the redis process running?")
    return Part("redis", True, "It answers.")


def _workers() -> Part:
    if names := dispatch.workers():
        return Part("workers", True, f"{len(names)} answered.")
    return Part("workers", False, "None answers: start one; queued runs wait for it.")


def _beat() -> Part:
    last = Pulse.objects.filter(name=_TICK).first()
    if last is None:
        return Part("beat", False, "No tick was ever seen: start the beat and a worker.")
    age = database.now() - last.at
    ok = age < timedelta(seconds=settings.BEAT_TICK_SECONDS * _TICKS_MISSED)
    remedy = "" if ok else ": is the beat running, and a worker free?"
    return Part("beat", ok, f"The last tick was {age.total_seconds():.0f} s ago{remedy or '.'}")


_CHECKS: Final[tuple[Callable[[], Part], ...]] = (_redis, _workers, _beat)
