"""Approving, rejecting and applying a change: never one's own, never another plan than the one that was seen."""

from __future__ import annotations

from functools import partial

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from lbftp import database
from lbftp.accounts.models import Role
from lbftp.accounts.services import require
from lbftp.changes import approvals, origin, states, terms
from lbftp.changes.errors import Invalid, Refused, StalePlan
from lbftp.changes.models import Approval, ChangeRequest, Run
from lbftp.changes.services import policies, runs
from lbftp.clusters.models import Cluster
from lbftp.daytwo.services import rules
from lbftp.live import publish
from lbftp.proofs.services import rests

C = ChangeRequest.State


def approve(*, user: User, change: ChangeRequest, plan_digest: str, reason: str = "") -> Approval:
    """One approval of the plan with `plan_digest`; the last one needed moves the change to approved.

    Raises StalePlan if the change has another plan by now, Refused for authors, editors, people who could not decide
    when it was proposed, second decisions, and by command line where the site switched that off.
    """
    _refuse_command_line()
    with transaction.atomic():
        change = _locked(change)
        if hindrance := approvals.hindrance(change, user):
            raise Refused(hindrance)
        if not plan_digest or plan_digest != change.plan_digest:
            raise StalePlan("The plan changed after you saw it: read the present one, then decide.")
        decision = Approval.objects.create(
            change=change,
            user=user,
            plan_digest=plan_digest,
            approved=True,
            reason=reason[:500],
            origin=origin.present(),
        )
        if approvals.enough(change):
            _approved(user, change, reason)
        _tell(change)
    return decision


def reject(*, user: User, change: ChangeRequest, reason: str) -> None:
    """Ends a change that is not being applied, with a reason. Authors may withdraw theirs this way."""
    require(user, change.cluster.team, Role.OPERATOR)
    if not reason.strip():
        raise Invalid.at("reason", "It is empty.", "Tell the author why, and what to do instead.")
    with transaction.atomic():
        change = _locked(change)
        if not states.may_move(change, C.REJECTED):
            raise Refused(f"This change cannot be rejected; it is: {change.get_state_display()}.")
        if change.plan_digest:
            Approval.objects.update_or_create(
                change=change,
                user=user,
                plan_digest=change.plan_digest,
                used_at=None,
                defaults={"approved": False, "reason": reason[:500], "origin": origin.present()},
            )
        states.move(change, change.state, C.REJECTED, user=user, reason=reason)
        _tell(change)


def apply_change(*, user: User, change: ChangeRequest) -> Run:
    """Starts applying an approved change. Two people pressing at once start one run.

    Raises StalePlan where approvals count no more, or where it would be tested or guarded otherwise than was approved;
    the change then waits for approval again, or for another plan.
    """
    require(user, change.cluster.team, Role.OPERATOR)
    with transaction.atomic():
        change = _locked(change)
        cluster = Cluster.objects.select_for_update().get(pk=change.cluster_id)
        lost = _approvals_lost(change)
        if not lost:
            return _begin(user, change, cluster)
    # Raised outside: that the change waits again is kept.
    raise StalePlan(lost)


def _begin(user: User, change: ChangeRequest, cluster: Cluster) -> Run:
    excuse = "" if approvals.enough(change) else _excused(user, change)
    _refuse_unready(change, cluster, excuse)
    if not states.move(change, C.APPROVED, C.APPLYING, user=user, reason=excuse):
        raise Refused("Somebody else was first: look at the change again.")
    states.move(cluster, cluster.state, Cluster.State.APPLYING, user=user, state_at=database.now())
    return _start(user, change, cluster, exemption=excuse)


def dry_run(*, user: User, change: ChangeRequest) -> Run:
    """Starts an apply that stops before the first change: no approval is needed, and no state moves."""
    require(user, change.cluster.team, Role.OPERATOR)
    with transaction.atomic():
        change = _locked(change)
        if change.kind == ChangeRequest.Kind.POLICY:
            raise Refused("There is nothing to try: it sets a schedule, and touches no router.")
        if change.state not in (C.PROPOSED, C.APPROVED):
            raise Refused(f"A dry run needs a plan that waits; this change is: {change.get_state_display()}.")
        return _start(user, change, change.cluster, dry=True)


def _approved(user: User, change: ChangeRequest, reason: str) -> None:
    """Enough people approved the present plan. What needs no router takes effect with that."""
    if change.state == C.APPROVED:
        states.left(change, C.APPROVED, C.APPROVED, user=user, reason=reason or "Approved again.")
    else:
        states.move(change, C.PROPOSED, C.APPROVED, user=user, reason=reason)
    if change.kind == ChangeRequest.Kind.POLICY:
        policies.take_effect(change, user)


def _approvals_lost(change: ChangeRequest) -> str:
    """An approved change whose approvals count no more waits for approval again: why, as a sentence; '' for others."""
    if change.state != C.APPROVED or approvals.enough(change) or approvals.excuse(change):
        return ""
    text = (
        f"{approvals.counted(change)} of {approvals.needed(change)} approvals count now"
        f"{approvals.lost(change)}: the change waits for approval again."
    )
    states.move(change, C.APPROVED, C.PROPOSED, reason=text)
    _tell(change)
    return text[0].upper() + text[1:]


def _refuse_command_line() -> None:
    if origin.present() and not settings.CLI_APPROVALS:
        raise Refused(
            "Approving by the command line is switched off on this site (LBFTP_CLI_APPROVALS): approve on the page of "
            "the change, signed in."
        )


def _start(user: User, change: ChangeRequest, cluster: Cluster, *, dry: bool = False, exemption: str = "") -> Run:
    kind = Run.Kind.APPLY if change.kind == ChangeRequest.Kind.REVISION else Run.Kind(change.kind)
    revision = change.revision
    return runs.start(
        kind=kind,
        team=cluster.team,
        user=user,
        cluster=cluster,
        change=change,
        revision=revision,
        dry=dry,
        exemption=exemption,
    )


def _excused(user: User, change: ChangeRequest) -> str:
    """Why nobody else has to approve this change, '' if somebody has to. A plan that waits is approved by that."""
    excuse = approvals.excuse(change)
    if excuse and change.state == C.PROPOSED:
        states.move(change, C.PROPOSED, C.APPROVED, user=user, reason=excuse)
    return excuse


def _refuse_unready(change: ChangeRequest, cluster: Cluster, excuse: str) -> None:
    if change.state != C.APPROVED:
        late = approvals.late_excuse(change)
        text = f"Only an approved change can be applied; this one is: {change.get_state_display()}. {late}"
        raise Refused(text.strip())
    if change.kind == ChangeRequest.Kind.POLICY:
        raise Refused("There is nothing to apply: it takes effect when it is approved.")
    if text := terms.outdated(change) or rules.outdated(change):
        raise StalePlan(text)
    rests.refuse_resting(change)
    if not excuse and not approvals.enough(change):
        raise StalePlan("Approvals of the present plan are missing: have it approved.")
    if cluster.state == Cluster.State.APPLYING:
        raise Refused(f"Another change of {cluster.name} is being applied: wait for its end.")


def _tell(change: ChangeRequest) -> None:
    """Dashboards show what waits for whom."""
    transaction.on_commit(partial(publish.fleet_hint, change.cluster.team_id))


def _locked(change: ChangeRequest) -> ChangeRequest:
    rows = ChangeRequest.objects.select_for_update(of=("self",))
    return rows.select_related("cluster__team", "revision").get(pk=change.pk)
