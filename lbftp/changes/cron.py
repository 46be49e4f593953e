"""Times that people give as a cron expression and a time zone: checked, and read as Debian's cron reads them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from django.utils import timezone

from lbftp.changes.errors import Invalid

_LONGEST: Final = 100


def check(cron: str, time_zone: str, *, example: str) -> None:
    """Raises Invalid at `time_zone` or `cron`; `example` is an expression for the remedy."""
    try:
        ZoneInfo(time_zone)
    except (ValueError, OSError, KeyError) as error:
        raise Invalid.at(
            "time_zone", f"{time_zone[:40]!r} is not a time zone.", "Use one such as Europe/Berlin."
        ) from error
    remedy = f"Use five fields: minute hour day-of-month month day-of-week, such as {example}."
    if len(cron.split()) != 5 or len(cron) > _LONGEST:
        raise Invalid.at("cron", f"{cron[:60]!r} has not five fields.", remedy)
    try:
        next(CronSim(cron, timezone.now()))
    except CronSimError as error:
        raise Invalid.at("cron", f"{error} in {cron[:60]!r}.", remedy) from error
    except StopIteration as error:
        raise Invalid.at("cron", f"{cron[:60]!r} never comes.", remedy) from error


def times(cron: str, time_zone: str, after: datetime) -> Iterator[datetime]:
    """The times after `after`, in that zone; summer time as Debian's cron does it."""
    return iter(CronSim(cron, after.astimezone(_zone(time_zone))))


def times_back(cron: str, time_zone: str, now: datetime) -> Iterator[datetime]:
    """The times up to `now`, the newest first, in that zone."""
    # The iterator leaves out its start: a second later, so that a time of `now` itself is found.
    return iter(CronSim(cron, (now + timedelta(seconds=1)).astimezone(_zone(time_zone)), reverse=True))


def _zone(time_zone: str) -> tzinfo:
    # CronSim steps over summer time in every zone but this object.
    return UTC if time_zone == "UTC" else ZoneInfo(time_zone)
