"""What the page of a change request shows: the plan, who decided, who may, and what this person can do now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User

from lbftp.accounts import access
from lbftp.accounts.models import Role
from lbftp.changes import approvals, states
from lbftp.changes.models import Approval, ChangeRequest, Run, Transition
from lbftp.daytwo.services import rules

C = ChangeRequest.State
GOING_ON = (C.PLANNING, C.APPLYING)


@dataclass(frozen=True, slots=True)
class ChangePage:
    """`hindrance`: why this person may not approve, as a sentence; '' if they may. `run`: the newest one that
    is no dry run; `dry_runs`: of those, the newest ones. `excuse`: why nobody else has to approve just now, ''.
    `day_two`: one click undoes it, once it is applied."""

    change: ChangeRequest
    run: Run | None
    seq: int
    operator: bool
    hindrance: str
    decisions: list[Approval]
    others: list[User]
    history: list[Transition]
    dry_runs: list[Run]
    excuse: str
    day_two: bool

    @property
    def live(self) -> bool:
        return self.change.state in GOING_ON

    @property
    def plan(self) -> dict[str, Any]:
        return self.change.plan or {}

    @property
    def needed(self) -> int:
        return approvals.needed(self.change)

    @property
    def counted(self) -> int:
        return approvals.counted(self.change)

    @property
    def can_approve(self) -> bool:
        return not self.hindrance

    @property
    def can_apply(self) -> bool:
        free = self.change.state == C.PROPOSED and bool(self.excuse)
        return self.operator and (free or self.change.state == C.APPROVED)

    @property
    def of_revision(self) -> bool:
        """Whether it changes what routers hold."""
        return self.change.kind == ChangeRequest.Kind.REVISION

    @property
    def of_servers(self) -> bool:
        """Whether it changes files of real servers."""
        return self.change.kind == ChangeRequest.Kind.SERVERS

    @property
    def can_try(self) -> bool:
        return self.operator and self.change.state in (C.PROPOSED, C.APPROVED)

    @property
    def can_reject(self) -> bool:
        return self.operator and states.may_move(self.change, C.REJECTED)

    @property
    def can_replan(self) -> bool:
        return self.operator and states.may_move(self.change, C.PLANNING)

    @property
    def can_undo(self) -> bool:
        return self.operator and self.day_two and self.change.state == C.APPLIED

    @property
    def outdated(self) -> list[Approval]:
        """Approvals of an earlier plan: shown, so that nobody wonders where theirs went."""
        return [d for d in self.decisions if d.approved and d.plan_digest != self.change.plan_digest]


def page(change: ChangeRequest, user: User) -> ChangePage:
    """The page of `change` for `user`. Buttons follow the same rules as the services, which decide again."""
    run = change.runs.filter(dry=False).order_by("-pk").first()
    last = run.events.order_by("-seq").values_list("seq", flat=True).first() if run else 0
    return ChangePage(
        change=change,
        run=run,
        seq=last or 0,
        operator=access.has_role(user, change.cluster.team, Role.OPERATOR),
        hindrance=approvals.hindrance(change, user),
        decisions=list(change.approvals.select_related("user")),
        others=_others(change, user),
        history=list(
            Transition.objects.filter(subject="change", subject_id=change.pk).select_related("user").order_by("pk")
        ),
        dry_runs=list(change.runs.filter(dry=True).select_related("started_by").defer("result").order_by("-pk")[:3]),
        excuse=approvals.excuse(change),
        day_two=rules.marked(change) is not None,
    )


def _others(change: ChangeRequest, user: User) -> list[User]:
    """Who else may still approve the present plan."""
    if change.state != C.PROPOSED:
        return []
    members = change.cluster.team.memberships.exclude(role=Role.VIEWER).exclude(user=user).select_related("user")
    return [m.user for m in members.order_by("user__username") if not approvals.hindrance(change, m.user)]
