"""Whether everything that lbftp needs is there, each part with a sentence for who has to put it right.

Strangers may ask. So nothing here asks the broker or a worker: they leave signs of life, which are read. What the web
process has to try itself, it tries once every few seconds, whoever asks and however often.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from redis.backoff import NoBackoff
from redis.retry import Retry

from lbftp.health.models import Pulse
from lbftp.health.services import permissions, restarts, signs
from lbftp.health.services.snapshot import Snapshot
from lbftp.inventory import sealing

# Ticks may be missed while a worker is busy starting; after this many in a row something is wrong.
_TICKS_MISSED: Final = 4
# Workers and the beat leave a sign every three seconds.
_SILENT: Final = timedelta(seconds=20)
# Written by the web process, to see whether the database takes anything.
_WEB: Final = "web"


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that has to work. `message` says what was seen, and what to do if it is not `ok`."""

    name: str
    ok: bool
    message: str


def readiness() -> list[Part]:
    """All parts, at most a few seconds old; without the database nothing that is kept there is asked for."""
    found = _snapshot.get()
    if found is None:
        return [Part("database", False, "It has not answered for ten seconds: see LBFTP_DATABASE_URL.")]
    return found


def forget() -> None:
    """The next question is answered anew."""
    _snapshot.forget()


def _look() -> list[Part]:
    database = _database()
    parts = [database, _disk(), _files(), *_watchdog()]
    if not database.ok:
        return parts
    return parts + [check() for check in _CHECKS]


def _database() -> Part:
    """It answers, and takes what is written: on a full disk it still answers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError as error:
        return Part(
            "database",
            False,
            f"It does not answer ({type(error).__name__}): see LBFTP_DATABASE_URL, and whether its disk is full.",
        )
    try:
        signs.record_sign(name=_WEB)
    except DatabaseError as error:
        remedy = "is its disk full, or the file read-only?"
        return Part("database", False, f"It answers, but nothing can be written ({type(error).__name__}): {remedy}")
    return Part("database", True, "It answers, and takes what is written.")


def _disk() -> Part:
    try:
        free = shutil.disk_usage(settings.VAR).free // 1_000_000
    except OSError as error:
        return Part("disk", False, f"LBFTP_VAR cannot be read ({type(error).__name__}).")
    if free >= settings.MIN_FREE_MB:
        return Part("disk", True, f"{free} MB are free where LBFTP_VAR is.")
    remedy = "make room, before database and Redis can write no more"
    return Part("disk", False, f"Only {free} MB are free where LBFTP_VAR is: {remedy} (LBFTP_MIN_FREE_MB).")


def _files() -> Part:
    wrong = permissions.open_to_others()
    if not wrong:
        return Part("files", True, "What is under LBFTP_VAR only its owner can read.")
    remedy = "stop the site and start it again, or chmod -R go= LBFTP_VAR"
    return Part("files", False, f"{len(wrong)} files or folders under LBFTP_VAR others can read: {remedy}.")


def _watchdog() -> list[Part]:
    """Only where `make run` keeps the programs; under systemd that is systemd's."""
    if "LBFTP_STACK" not in os.environ:
        return []
    try:
        age = time.time() - (settings.VAR / "alive" / "watchdog").stat().st_mtime
    except OSError:
        return [Part("watchdog", False, "It was never heard of: see watchdog.log.")]
    if age > _SILENT.total_seconds():
        return [Part("watchdog", False, f"It has not been heard of for {age:.0f} s: see watchdog.log.")]
    if held := restarts.held_back():
        text = f"Silent again and again, so restarted ever more rarely: {', '.join(held)}. See their logs."
        return [Part("watchdog", False, text)]
    lately = [f"{one.program} at {one.at:%H:%M:%S} UTC" for one in restarts.recent_restarts()]
    return [Part("watchdog", True, f"Restarted lately: {', '.join(lately)}." if lately else "Nothing was restarted.")]


def _redis() -> Part:
    limits = {"socket_connect_timeout": 2, "socket_timeout": 2, "retry": Retry(NoBackoff(), 0)}
    try:
        with redis.Redis.from_url(settings.CHANNELS_URL, **limits) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        return Part("redis", False, f"It does not answer ({type(error).__name__}): is the redis process running?")
    return Part("redis", True, "It answers.")


def _workers() -> Part:
    ages = [signs.age_of(each) for each in Pulse.objects.filter(name__startswith=signs.WORKER)]
    alive = [age for age in ages if age < _SILENT]
    if alive:
        return Part("workers", True, f"On {len(alive)} {'host' if len(alive) == 1 else 'hosts'} one is alive.")
    if not ages:
        return Part("workers", False, "None was ever seen: start one; queued runs wait for it.")
    silence = f"None has been heard of for {min(ages).total_seconds():.0f} s"
    return Part("workers", False, f"{silence}: start one; queued runs wait for it.")


def _beat() -> Part:
    """The beat lives, and its ticks are taken up."""
    rows = {row.name: signs.age_of(row) for row in Pulse.objects.filter(name__in=[signs.TICK, signs.BEAT])}
    sign, tick = rows.get(signs.BEAT), rows.get(signs.TICK)
    if tick is None:
        return Part("beat", False, "No tick was ever seen: start the beat and a worker.")
    seen = f"The last tick was {tick.total_seconds():.0f} s ago"
    if tick < timedelta(seconds=settings.BEAT_TICK_SECONDS * _TICKS_MISSED):
        return Part("beat", True, f"{seen}.")
    if sign is not None and sign < _SILENT:
        return Part("beat", False, f"{seen}, though the beat is alive: is a worker free, and the broker there?")
    return Part("beat", False, f"{seen}: is the beat running?")


def _secrets() -> Part:
    """Without a name: whoever may ask this need not know what is stored."""
    if sealing.problem():
        remedy = "`manage.py lbftp secrets check` lists them and says what to do"
        return Part("secrets", False, f"Stored secrets cannot be opened: {remedy}.")
    return Part("secrets", True, "They can be opened.")


_CHECKS: Final[tuple[Callable[[], Part], ...]] = (_redis, _workers, _beat, _secrets)
_snapshot: Final = Snapshot(_look)
