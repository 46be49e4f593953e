"""Which moves of state are allowed, and the one way to make them: compare-and-set, leaving a Transition row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from lbftp.accounts.models import Team
from lbftp.changes import trail
from lbftp.changes.models import ChangeRequest, Run, Transition
from lbftp.clusters.models import Cluster
from lbftp.daytwo.models import Drain
from lbftp.outside import told

C, R, S, D = ChangeRequest.State, Run.State, Cluster.State, Drain.State
Subject = ChangeRequest | Run | Cluster | Drain

CHANGE_MOVES: Final[dict[ChangeRequest.State, set[ChangeRequest.State]]] = {
    C.PLANNING: {C.PROPOSED, C.REFUSED},
    C.REFUSED: {C.PLANNING, C.REJECTED},
    C.PROPOSED: {C.APPROVED, C.REJECTED, C.PLANNING},
    # Back to proposed: approvals count no more. Applied: what needs no router takes effect at once.
    C.APPROVED: {C.APPLYING, C.REJECTED, C.PLANNING, C.PROPOSED, C.APPLIED},
    C.STALE: {C.PLANNING, C.REJECTED},
    # Back to proposed: cancelled, with everything put back, so that what people approved still is the plan; or not
    # begun, since approvals count no more.
    C.APPLYING: {C.APPLIED, C.FAILED, C.STALE, C.PROPOSED},
    C.FAILED: {C.PLANNING, C.REJECTED},
    C.REJECTED: set(),
    C.APPLIED: set(),
}
RUN_MOVES: Final[dict[Run.State, set[Run.State]]] = {
    R.QUEUED: {R.RUNNING, R.ERRORED, R.CANCELLED},
    # To itself: another worker claims a run whose worker went silent.
    R.RUNNING: {R.RUNNING, R.SUCCEEDED, R.FAILED, R.ERRORED, R.CANCELLED},
    R.SUCCEEDED: set(),
    R.FAILED: set(),
    R.ERRORED: set(),
    R.CANCELLED: set(),
}
_SEEN: Final = {S.UNKNOWN, S.IN_STEP, S.DRIFTED, S.FAILED}
CLUSTER_MOVES: Final = {state: (_SEEN | {S.APPLYING}) - {state} for state in S}
# Back to draining: a client came again, brought by persistence.
DRAIN_MOVES: Final = {D.DRAINING: {D.EMPTY, D.ENDED}, D.EMPTY: {D.DRAINING, D.ENDED}, D.ENDED: set()}
_TABLES: Final[dict[type[Any], tuple[str, dict[Any, Any]]]] = {
    ChangeRequest: ("change", CHANGE_MOVES),
    Run: ("run", RUN_MOVES),
    Cluster: ("cluster", CLUSTER_MOVES),
    Drain: ("drain", DRAIN_MOVES),
}


def may_move(subject: Subject, new: str) -> bool:
    """Whether the table lets `subject` go from its present state to `new`."""
    return new in _TABLES[type(subject)][1][subject.state]


def move(  # noqa: PLR0913 - who, why and the columns that change along with the state
    subject: Subject,
    old: str,
    new: str,
    *,
    user: AbstractBaseUser | None = None,
    reason: str = "",
    expect: dict[str, Any] | None = None,
    **columns: Any,
) -> bool:
    """Moves `subject` from `old` to `new` if it still is in `old` (and `expect` holds); False if somebody was first.

    `columns` are set in the same statement. Raises ValueError for a move that the table does not have.
    """
    name, table = _TABLES[type(subject)]
    if new not in table[old]:
        raise ValueError(f"a {name} does not go from {old} to {new}")
    with transaction.atomic():
        rows = type(subject)._default_manager.filter(pk=subject.pk, state=old, **(expect or {}))
        if rows.update(state=new, **columns) != 1:
            return False
        _leave_row(name, subject, old, new, user, reason)
    for column, value in {"state": new, **columns}.items():
        setattr(subject, column, value)
    return True


def left(  # noqa: PLR0913 - the columns of the row
    subject: Subject,
    old: str,
    new: str,
    *,
    user: AbstractBaseUser | None,
    reason: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """A row for what was no move of state: something began, or a setting changed, from what to what."""
    changed = {"before": dict(before or {}), "after": dict(after or {})}
    _leave_row(_TABLES[type(subject)][0], subject, old, new, user, reason, **changed)


def _leave_row(  # noqa: PLR0913, PLR0917 - the columns of the row
    name: str, subject: Subject, old: str, new: str, user: Any, reason: str, **changed: dict[str, Any]
) -> None:
    Transition.objects.create(
        team=_team(subject),
        subject=name,
        subject_id=subject.pk,
        old=old,
        new=new,
        reason=told(reason)[:500],
        **trail.by(user),
        **changed,
    )


def _team(subject: Subject) -> Team:
    return subject.cluster.team if isinstance(subject, ChangeRequest) else subject.team
