"""What the page of a change request shows: the plan, who decided, who may, and what this person can do now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User

from lbftp.accounts import access
from lbftp.accounts.models import Role
from lbftp.changes import approvals, states, terms
from lbftp.changes.models import Approval, ChangeRequest, Run, Transition
from lbftp.daytwo.services import rules

C = ChangeRequest.State
GOING_ON = (C.PLANNING, C.APPLYING)


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision and how it is drawn: `look` and `word` of its pill, and why it counts no more ('' if it does)."""

    row: Approval
    look: str
    word: str
    why: str


@dataclass(frozen=True, slots=True)
class ChangePage:
    """`hindrance`: why this person may not approve, as a sentence; '' if they may. `run`: the newest one that
    is no dry run; `dry_runs`: of those, the newest ones. `excuse`: why nobody else has to approve just now, ''.
    `day_two`: one click undoes it, once it is applied. `unfit`: what of its terms changed since it was planned, as a
    sentence; `late_excuse`: why what stands in for approvals elsewhere does not here. `waits`: it wants approvals."""

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
    counting: frozenset[int]
    judged: list[Decision]
    unfit: str
    late_excuse: str
    editors: list[str]
    waits: bool

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
        return len(self.counting)

    @property
    def can_approve(self) -> bool:
        return not self.hindrance

    @property
    def can_apply(self) -> bool:
        free = self.change.state == C.PROPOSED and bool(self.excuse)
        return self.operator and not self.unfit and (free or (self.change.state == C.APPROVED and not self.waits))

    @property
    def of_revision(self) -> bool:
        """Whether it changes what routers hold."""
        return self.change.kind == ChangeRequest.Kind.REVISION

    @property
    def of_servers(self) -> bool:
        """Whether it changes files of real servers."""
        return self.change.kind == ChangeRequest.Kind.SERVERS

    @property
    def of_policy(self) -> bool:
        """Whether it sets a schedule: it touches no router, and is in force once approved."""
        return self.change.kind == ChangeRequest.Kind.POLICY

    @property
    def can_try(self) -> bool:
        return self.operator and self.change.state in (C.PROPOSED, C.APPROVED) and not self.of_policy

    @property
    def can_reject(self) -> bool:
        return self.operator and states.may_move(self.change, C.REJECTED)

    @property
    def can_replan(self) -> bool:
        return self.operator and states.may_move(self.change, C.PLANNING) and not self.of_policy

    @property
    def can_undo(self) -> bool:
        return self.operator and self.day_two and self.change.state == C.APPLIED

    @property
    def outdated(self) -> list[Approval]:
        """Approvals of an earlier plan: shown, so that nobody wonders where theirs went."""
        return [d for d in self.decisions if d.approved and d.plan_digest != self.change.plan_digest]

    @property
    def tried(self) -> bool:
        """Whether an apply of it failed, which used up what was approved."""
        return any(d.approved and d.used_at for d in self.decisions)


def page(change: ChangeRequest, user: User) -> ChangePage:
    """The page of `change` for `user`. Buttons follow the same rules as the services, which decide again."""
    run = change.runs.filter(dry=False).order_by("-pk").first()
    last = run.events.order_by("-seq").values_list("seq", flat=True).first() if run else 0
    decisions = list(change.approvals.select_related("user"))
    counting = frozenset(approval.pk for approval in approvals.counting(change))
    standing = change.state in (C.PROPOSED, C.APPROVED)
    return ChangePage(
        change=change,
        run=run,
        seq=last or 0,
        operator=access.has_role(user, change.cluster.team, Role.OPERATOR),
        hindrance=approvals.hindrance(change, user),
        decisions=decisions,
        others=_others(change, user),
        history=list(
            Transition.objects.filter(subject="change", subject_id=change.pk).select_related("user").order_by("pk")
        ),
        dry_runs=list(change.runs.filter(dry=True).select_related("started_by").defer("result").order_by("-pk")[:3]),
        excuse=approvals.excuse(change),
        day_two=rules.marked(change) is not None,
        counting=counting,
        judged=[_judged(change, one, counting) for one in decisions],
        unfit=terms.outdated(change) if standing else "",
        late_excuse=approvals.late_excuse(change) if change.state == C.PROPOSED else "",
        editors=[str(person) for person in change.editors.exclude(pk=change.author_id).order_by("username")],
        waits=standing and approvals.waits(change),
    )


def _judged(change: ChangeRequest, one: Approval, counting: frozenset[int]) -> Decision:
    if not one.approved:
        return Decision(one, "bad", "rejected", "")
    if one.used_at:
        return Decision(one, "stale", "approved an earlier attempt", "That attempt failed: it wants another approval.")
    if one.plan_digest != change.plan_digest:
        return Decision(one, "stale", "approved an earlier plan", "")
    if one.pk in counting or change.state not in (C.PROPOSED, C.APPROVED, C.APPLYING):
        return Decision(one, "ok", "approved", "")

    reason = approvals.ineligible(change, one.user)
    return Decision(one, "warn", "counts no more", f"{one.user} {reason.they}." if reason else "")


def _others(change: ChangeRequest, user: User) -> list[User]:
    """Who else may still approve the present plan."""
    if change.state not in (C.PROPOSED, C.APPROVED):
        return []
    members = change.cluster.team.memberships.exclude(role=Role.VIEWER).exclude(user=user).select_related("user")
    return [m.user for m in members.order_by("user__username") if not approvals.hindrance(change, m.user)]
