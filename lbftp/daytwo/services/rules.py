"""Which changes are day-two changes, and which of those need no second person. Decided from revisions, every time."""

from __future__ import annotations

from typing import Any

from lbftp.accounts import access
from lbftp.accounts.models import Role
from lbftp.changes.models import ChangeRequest
from lbftp.core import day_two
from lbftp.core.day_two import Action
from lbftp.core.spec import SpecError, from_json


def marked(change: ChangeRequest) -> dict[str, Any] | None:
    """What was noted of a change that was made as a day-two change; None for others."""
    found = change.params.get("day_two") if change.kind == ChangeRequest.Kind.REVISION else None
    return found if isinstance(found, dict) else None


def action_of(change: ChangeRequest) -> Action | None:
    """The one action by which the change differs from what is applied now; None if it is more or nothing."""
    applied = change.cluster.applied
    if applied is None or marked(change) is None:
        return None
    try:
        return day_two.between(from_json(applied.spec), from_json(change.revision.spec))
    except SpecError:
        return None


def excuse(change: ChangeRequest) -> str:
    """Why this change needs nobody beside its author, as a sentence; '' if it does: the cluster allows that to
    operators, and the change is exactly one action."""
    if not _allowed(change) or _too_new(change) or outdated(change):
        return ""
    if action_of(change) is None or not access.has_role(change.author, change.cluster.team, Role.OPERATOR):
        return ""
    return f"Day-two change: operators of {change.cluster} may do these alone."


def late(change: ChangeRequest) -> str:
    """Why it needs approval although operators may do day-two changes alone, as a sentence; '' if that is not why."""
    if not _allowed(change) or not _too_new(change):
        return ""
    return (
        f"Operators of {change.cluster} may do day-two changes alone only since after this was asked for: "
        "have it approved, or withdraw it and ask for it anew."
    )


def _allowed(change: ChangeRequest) -> bool:
    return marked(change) is not None and change.cluster.operators_alone


def _too_new(change: ChangeRequest) -> bool:
    """Whoever allows it lets through what is asked for from then on, nothing that waits already."""
    since = change.cluster.operators_alone_since
    return since is not None and since >= change.created_at


def outdated(change: ChangeRequest) -> str:
    """Why a day-two change may not be applied any more, as a sentence; '' if nothing stands against it."""
    mark = marked(change)
    if mark is None or mark.get("base") == change.cluster.applied_id:
        return ""
    return (
        "Another revision was applied since this was asked for, and applying this would undo it: "
        "withdraw it and ask for it anew."
    )
