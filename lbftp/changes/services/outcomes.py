"""What the end of a run means for its change and its cluster, and what a plan run hands over before it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from django.db import transaction

from lbftp import database
from lbftp.changes import approvals, states, terms
from lbftp.changes.errors import problem
from lbftp.changes.models import ChangeRequest, Run, Transition
from lbftp.changes.services import claims
from lbftp.changes.services.events import append
from lbftp.changes.services.leases import release_leases
from lbftp.clusters.models import Cluster
from lbftp.compliance.models import FindingRow
from lbftp.core.findings import drift
from lbftp.core.job import CHANGING, Event
from lbftp.daytwo.services import drains
from lbftp.live import publish
from lbftp.outside import told, told_plan
from lbftp.proofs.services import rests

C, K, R, S = ChangeRequest.State, Run.Kind, Run.State, Cluster.State
_CARRIED_OUT: Final = CHANGING - {K.COMPLY}
# Of one look: what holds more than that is broken as a whole, and a page of it helps nobody.
_MOST_FINDINGS: Final = 1000
_LATE: Final = Event("note", data={"level": "warning", "text": "Cancelling came too late: all of it was done by then."})


def store_plan(
    *, run_id: int, fence: int, plan: dict[str, Any], digest: str, problems: Sequence[dict[str, Any]]
) -> None:
    """The plan of a PLAN run: on its change request, or in the run's result if nobody proposed it."""
    with transaction.atomic():
        run = claims.holding(run_id, fence)
        kept = {"plan": told_plan(plan), "plan_digest": digest, "problems": told(list(problems))}
        _keep(run, kept, frozen=True)


def refuse_plan(*, run_id: int, fence: int, problems: Sequence[dict[str, Any]]) -> None:
    """Why there can be no plan: the routers hold something that stands against it. The run then ends as failed."""
    with transaction.atomic():
        run = claims.holding(run_id, fence)
        _keep(run, {"plan": None, "plan_digest": "", "problems": told(list(problems))})


def mark_stale(*, run_id: int, fence: int, plan: dict[str, Any], digest: str, reason: str) -> None:
    """The routers changed since the approval: nothing was touched, the new plan is shown, no approval covers it.

    A dry run only keeps the new plan: the change stays as it is.
    """
    with transaction.atomic():
        run = claims.holding(run_id, fence)
        if run.dry:
            _keep(run, {"plan": told_plan(plan), "plan_digest": digest, "stale": True})
            return
        change = _change(run)
        states.move(change, C.APPLYING, C.STALE, reason=reason, plan=told_plan(plan), **_covered(change, digest))
        restore_state(change.cluster, reason)


def end(run: Run, state: str, outcome: str, result: dict[str, Any]) -> None:
    """Ends a run whose row the caller holds: 'end' event, state, leases, and what follows for change and cluster."""
    late = [_LATE] if run.cancelled_at and state == R.SUCCEEDED else []
    append(run, [*late, Event("end", data={"state": state, "outcome": outcome})])
    states.move(
        run,
        run.state,
        state,
        left=_left(result),
        user=run.cancelled_by if state == R.CANCELLED else None,
        reason=outcome,
        expect={"fence": run.fence},
        ended_at=database.now(),
        outcome=told(outcome),
        result={**run.result, **told(result)},
    )
    release_leases(run_id=run.pk)
    _EFFECTS.get(run.kind, _nothing)(run)
    transaction.on_commit(partial(publish.fleet_hint, run.team_id))


def _left(result: dict[str, Any]) -> int:
    """Of findings those that somebody has to do something about; and real servers that sessions should have reached."""
    found = drift(result.get("findings", []))
    unseen = [one for one in result.get("unseen", []) if not one.get("planned")]
    return len(found) + len(unseen) + len(result.get("unreached", []))


def _keep(run: Run, plan: dict[str, Any], *, frozen: bool = False) -> None:
    """`frozen`: there is a plan, and what it is approved with is kept beside it."""
    if run.change is None or run.dry:
        Run.objects.filter(pk=run.pk).update(result={**run.result, **plan})
        return

    if frozen:
        plan |= _covered(run.change, plan["plan_digest"])
    ChangeRequest.objects.filter(pk=run.change.pk, state=C.PLANNING).update(**plan)


def _covered(change: ChangeRequest, digest: str) -> dict[str, Any]:
    """The columns that say what an approval covers, for a plan with `digest`."""
    frozen = terms.freeze(change)
    return {"terms": frozen, "plan_digest": terms.digest(digest, frozen)}


def _nothing(run: Run) -> None:
    """Looking at one machine changes no state."""


def _after_plan(run: Run) -> None:
    change = run.change
    if change is None or change.state != C.PLANNING:
        return
    if run.state != R.SUCCEEDED or not change.plan_digest:
        problems = change.problems or [problem("LBF002", "routers", run.outcome, "Put that right, then plan again.")]
        states.move(change, C.PLANNING, C.REFUSED, reason=run.outcome, problems=problems)
        return
    states.move(change, C.PLANNING, C.PROPOSED, reason=run.outcome)
    _approve_again(change)


def _approve_again(change: ChangeRequest) -> None:
    """Planned again or cancelled, and it is the very plan that was approved: the approvals cover it still. Not after an
    apply that failed: it used them up."""
    if approvals.enough(change):
        names = " and ".join(str(approval.user) for approval in approvals.counting(change))
        states.move(change, C.PROPOSED, C.APPROVED, reason=f"It is the very plan that {names} approved.")


def _after_apply(run: Run) -> None:
    change = _change(run)
    if run.dry or change.state != C.APPLYING:
        return
    rests.after(run)
    if change.kind == ChangeRequest.Kind.SERVERS:
        _after_servers(run, change)
    elif run.state == R.SUCCEEDED:
        states.move(change, C.APPLYING, C.APPLIED, user=run.started_by, reason=run.outcome)
        _after_approved(run, change)
        if change.kind == ChangeRequest.Kind.REVISION:
            drains.follow(change, run.started_by)
            Cluster.objects.filter(pk=change.cluster_id).update(applied=change.revision_id)
        elif change.kind == ChangeRequest.Kind.ROLLBACK:
            to = change.params["to"]
            Cluster.objects.filter(pk=change.cluster_id).update(applied=to["revision"] if to else None)
        nothing = change.kind == ChangeRequest.Kind.ROLLBACK and not change.params["to"]
        drifted = drift(run.result.get("findings", []))
        _see(change.cluster, S.UNKNOWN if nothing else S.DRIFTED if drifted else S.IN_STEP, run)
    elif run.state == R.CANCELLED:
        states.move(change, C.APPLYING, C.PROPOSED, user=run.cancelled_by, reason=run.outcome)
        _approve_again(change)
        restore_state(change.cluster, run.outcome)
    else:
        states.move(change, C.APPLYING, C.FAILED, user=run.started_by, reason=run.outcome)
        _use_up(change, run)
        _see(change.cluster, S.FAILED, run)


def _after_servers(run: Run, change: ChangeRequest) -> None:
    """What was done on real servers tells nothing about the routers: the cluster is what it was."""
    if run.state == R.CANCELLED:
        states.move(change, C.APPLYING, C.PROPOSED, user=run.cancelled_by, reason=run.outcome)
        _approve_again(change)
    else:
        new = C.APPLIED if run.state == R.SUCCEEDED else C.FAILED
        states.move(change, C.APPLYING, new, user=run.started_by, reason=run.outcome)
        if new == C.FAILED:
            _use_up(change, run)
        else:
            _after_approved(run, change)
    restore_state(change.cluster, run.outcome)


def _after_approved(run: Run, change: ChangeRequest) -> None:
    """Applied as it was approved by others: how it was tested and guarded is nobody's own doing any more."""
    if not run.exemption:
        terms.covered(change)


def _use_up(change: ChangeRequest, run: Run) -> None:
    """What was approved was tried and failed: whoever has it tried again asks people again."""
    change.approvals.filter(used_at=None).update(used_by=run, used_at=database.now())


def _after_check(run: Run) -> None:
    """Verification and compliance tell whether the routers hold what they should; a run that broke tells nothing."""
    cluster = run.cluster
    if cluster is None:
        return
    findings = run.result.get("findings", [])
    if run.kind == K.COMPLY:
        FindingRow.objects.bulk_create(_finding(run, cluster, f) for f in findings[:_MOST_FINDINGS])
    if run.state in (R.ERRORED, R.CANCELLED) or cluster.state == S.APPLYING:
        return
    if drift(findings):
        _see(cluster, S.DRIFTED, run)
    else:
        _see(cluster, S.IN_STEP if run.state == R.SUCCEEDED else S.UNKNOWN, run)


def _see(cluster: Cluster, state: str, run: Run) -> None:
    """The cluster is known to be in `state` now; who is master as well, if the run saw it."""
    columns: dict[str, Any] = {"state_at": database.now()}
    if master := run.result.get("master"):
        columns["master"] = str(master)[:32]
    if cluster.state == state:
        Cluster.objects.filter(pk=cluster.pk).update(**columns)
    else:
        states.move(cluster, cluster.state, state, user=run.started_by, reason=run.outcome, **columns)


def restore_state(cluster: Cluster, reason: str) -> None:
    """Back to what the cluster was before the apply that did nothing."""
    moves = Transition.objects.filter(subject="cluster", subject_id=cluster.pk, new=S.APPLYING)
    # Rows from a state to itself are settings that were changed meanwhile.
    before = moves.exclude(old=S.APPLYING).last()
    if cluster.state == S.APPLYING:
        states.move(cluster, S.APPLYING, before.old if before else S.UNKNOWN, reason=reason, state_at=database.now())


def _finding(run: Run, cluster: Cluster, data: dict[str, Any]) -> FindingRow:
    def text(field: str, length: int) -> str:
        return str(data.get(field) or "")[:length]

    return FindingRow(
        run=run,
        cluster=cluster,
        code=text("code", 40),
        severity=text("severity", 8),
        router=text("router", 32),
        what=text("what", 300),
        expected=text("expected", 4000),
        found=text("found", 4000),
        remedy=text("remedy", 300),
        repaired=bool(data.get("repaired")),
    )


def _change(run: Run) -> ChangeRequest:
    if run.change is None:
        raise ValueError(f"run {run.pk} is of no change request")
    return run.change


_EFFECTS: Final[dict[str, Callable[[Run], None]]] = {
    K.PLAN: _after_plan,
    **dict.fromkeys(_CARRIED_OUT, _after_apply),
    K.VERIFY: _after_check,
    K.COMPLY: _after_check,
}
