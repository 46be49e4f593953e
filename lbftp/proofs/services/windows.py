"""A cluster's maintenance window: inside of it an operator starts a proof or maintenance without another's approval."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import transaction

from lbftp import database
from lbftp.accounts.models import Role
from lbftp.accounts.services import require
from lbftp.changes import cron as times
from lbftp.changes import editing, states
from lbftp.changes.editing import Values
from lbftp.changes.errors import Invalid
from lbftp.changes.models import ChangeRequest
from lbftp.clusters.models import Cluster
from lbftp.core.job import DISTURBING
from lbftp.proofs.models import WINDOW_MINUTES, Window

_FIELDS: Final = ("cron", "minutes", "time_zone", "enabled")
COVERED: Final = DISTURBING | {"maintenance"}


def set_window(  # noqa: PLR0913 - the form's fields
    *,
    user: User,
    cluster: Cluster,
    cron: str,
    minutes: int,
    time_zone: str,
    enabled: bool,
    seen: Values | None = None,
) -> Window:
    """Replaces the window that is there. For administrators: it stands in for a colleague's approval.

    `seen` are the values that the person had before them: raises Conflict where somebody else set others since.
    """
    require(user, cluster.team, Role.ADMIN)
    cron = " ".join(cron.split())
    _check(cron, minutes, time_zone)
    values = {"cron": cron, "minutes": minutes, "time_zone": time_zone, "enabled": enabled}
    with transaction.atomic():
        row = Cluster.objects.select_for_update().get(pk=cluster.pk)
        before = window_of(row)
        thing, stored = _thing(row), stored_values(before)
        editing.refuse_unseen(thing, seen=seen, stored=stored, wanted=values)
        changed = {"set_at": database.now()} if stored != values else {}
        window = Window.objects.update_or_create(cluster=row, defaults={**values, **changed})[0]
        if changed:
            was = f" Before: {_words(before)}." if before else ""
            states.left(
                row,
                row.state,
                row.state,
                user=user,
                reason=f"Maintenance window: {_words(window)}.{was}",
                before=thing.told(stored),
                after=thing.told(values),
            )
    return window


def stored_values(window: Window | None) -> dict[str, Any]:
    """What people set of it; {} where there is none."""
    return {name: getattr(window, name) for name in _FIELDS} if window else {}


def _thing(cluster: Cluster) -> editing.Thing:
    return editing.Thing(cluster.team, "cluster", cluster.pk, f"the maintenance window of {cluster}", "window_")


def _words(window: Window) -> str:
    """Everything that was set, in short."""
    off = "" if window.enabled else ", switched off"
    return f"{window.cron} ({window.time_zone}) for {window.minutes} minutes{off}"


def window_of(cluster: Cluster) -> Window | None:
    return Window.objects.filter(cluster=cluster).first()


def open_until(window: Window | None, now: datetime) -> datetime | None:
    """When the window that is open at `now` closes; None if none is open."""
    if window is None or not window.enabled:
        return None
    latest = next(times.times_back(window.cron, window.time_zone, now), None)
    if latest is None:
        return None
    end = latest.astimezone(UTC) + timedelta(minutes=window.minutes)
    return end.astimezone(latest.tzinfo) if now < end else None


def opens_next(window: Window | None, now: datetime) -> datetime | None:
    """When the window opens next, in its own zone."""
    if window is None or not window.enabled:
        return None
    return next(times.times(window.cron, window.time_zone, now), None)


def excuse(change: ChangeRequest, now: datetime | None = None) -> str:
    """Why a change needs nobody's approval just now, as a sentence; '' if it does."""
    if brings_back(change):
        return "Bringing a router back needs no other's approval."
    if change.kind not in COVERED:
        return ""
    window = window_of(change.cluster)
    until = open_until(window, now or database.now())
    if until is None or _too_new(window, change):
        return ""
    return f"The maintenance window of {change.cluster} is open until {until:%H:%M} ({until.tzname()})."


def brings_back(change: ChangeRequest) -> bool:
    """Whether the change ends a router's maintenance."""
    return change.kind == ChangeRequest.Kind.MAINTENANCE and not change.params.get("out")


def late(change: ChangeRequest, now: datetime | None = None) -> str:
    """Why the window that is open does not stand in for an approval of this change, as a sentence; '' if none is open,
    or it does."""
    covered = change.kind in COVERED and not brings_back(change)
    window = window_of(change.cluster) if covered else None
    if open_until(window, now or database.now()) is None or not _too_new(window, change):
        return ""
    return (
        f"The maintenance window of {change.cluster} was set after this change was proposed, so it does not stand in "
        "for an approval: have it approved, or propose it anew."
    )


def _too_new(window: Window | None, change: ChangeRequest) -> bool:
    """Whoever sets a window lets through what is proposed from then on, nothing that waits already."""
    return window is not None and window.set_at is not None and window.set_at >= change.created_at


def _check(cron: str, minutes: int, time_zone: str) -> None:
    low, high = WINDOW_MINUTES
    if not low <= minutes <= high:
        raise Invalid.at("minutes", f"{minutes} is too short or too long.", f"Use {low} to {high} minutes.")
    times.check(cron, time_zone, example="0 2 * * 0")
