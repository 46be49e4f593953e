"""A cluster's maintenance window: inside of it an operator starts a proof or maintenance without another's approval."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from django.contrib.auth.models import User
from django.utils import timezone

from lbftp.accounts.models import Role
from lbftp.accounts.services import require
from lbftp.changes.errors import Invalid
from lbftp.changes.models import ChangeRequest
from lbftp.clusters.models import Cluster
from lbftp.core.job import DISTURBING
from lbftp.proofs.models import WINDOW_MINUTES, Window

COVERED: Final = DISTURBING | {"maintenance"}


def set_window(  # noqa: PLR0913 - the form's fields
    *, user: User, cluster: Cluster, cron: str, minutes: int, time_zone: str, enabled: bool
) -> Window:
    """Replaces the window that is there. For administrators: it stands in for a colleague's approval."""
    require(user, cluster.team, Role.ADMIN)
    cron = " ".join(cron.split())
    _check(cron, minutes, time_zone)
    values = {"cron": cron, "minutes": minutes, "time_zone": time_zone, "enabled": enabled}
    return Window.objects.update_or_create(cluster=cluster, defaults=values)[0]


def window_of(cluster: Cluster) -> Window | None:
    return Window.objects.filter(cluster=cluster).first()


def open_until(window: Window | None, now: datetime) -> datetime | None:
    """When the window that is open at `now` closes; None if none is open."""
    if window is None or not window.enabled:
        return None
    # The iterator leaves out its start: a second later, so that the very minute of opening is found.
    latest = next(CronSim(window.cron, _local(window, now + timedelta(seconds=1)), reverse=True), None)
    if latest is None:
        return None
    end: datetime = latest.astimezone(UTC) + timedelta(minutes=window.minutes)
    return end.astimezone(_zone(window)) if now < end else None


def opens_next(window: Window | None, now: datetime) -> datetime | None:
    """When the window opens next, in its own zone."""
    if window is None or not window.enabled:
        return None
    times: Iterator[datetime] = CronSim(window.cron, _local(window, now))
    return next(times, None)


def excuse(change: ChangeRequest, now: datetime | None = None) -> str:
    """Why a change needs nobody's approval just now, as a sentence; '' if it does."""
    if change.kind == ChangeRequest.Kind.MAINTENANCE and not change.params.get("out"):
        return "Bringing a router back needs no other's approval."
    if change.kind not in COVERED:
        return ""
    until = open_until(window_of(change.cluster), now or timezone.now())
    if until is None:
        return ""
    return f"The maintenance window of {change.cluster} is open until {until:%H:%M} ({until.tzname()})."


def _zone(window: Window) -> ZoneInfo:
    return ZoneInfo(window.time_zone)


def _local(window: Window, moment: datetime) -> datetime:
    return moment.astimezone(_zone(window))


def _check(cron: str, minutes: int, time_zone: str) -> None:
    try:
        ZoneInfo(time_zone)
    except (ValueError, OSError, KeyError) as error:
        raise Invalid.at(
            "time_zone", f"{time_zone[:40]!r} is not a time zone.", "Use one such as Europe/Berlin."
        ) from error
    low, high = WINDOW_MINUTES
    if not low <= minutes <= high:
        raise Invalid.at("minutes", f"{minutes} is too short or too long.", f"Use {low} to {high} minutes.")
    remedy = "Use five fields: minute hour day-of-month month day-of-week, such as 0 2 * * 0."
    if len(cron.split()) != 5 or len(cron) > 100:
        raise Invalid.at("cron", f"{cron[:60]!r} has not five fields.", remedy)
    try:
        next(CronSim(cron, timezone.now()))
    except CronSimError as error:
        raise Invalid.at("cron", f"{error} in {cron[:60]!r}.", remedy) from error
    except StopIteration as error:
        raise Invalid.at("cron", f"{cron[:60]!r} never comes.", remedy) from error
