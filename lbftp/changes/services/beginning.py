"""Whether a run may begin: what was approved is asked once more when a worker is about to touch the routers."""

from __future__ import annotations

from lbftp.changes import approvals, states, terms
from lbftp.changes.models import ChangeRequest, Run
from lbftp.changes.services import outcomes

C = ChangeRequest.State


def stopped(run: Run) -> bool:
    """Ends a claimed run that may not begin; whether it did. Nothing was touched, and the change says what it wants.

    A run that an earlier worker began is not asked: what it left on the routers is seen to first, in any case.
    """
    change = run.change
    if change is None or run.kind == Run.Kind.PLAN or run.dry or run.fence > 1:
        return False
    if change.state != C.APPLYING:
        return False

    if text := terms.outdated(change):
        _end(run, change, C.STALE, text)
        return True
    if text := _lost(run, change):
        _end(run, change, C.PROPOSED, text)
        return True

    return False


def _lost(run: Run, change: ChangeRequest) -> str:
    """Why approvals do not suffice any more, as a sentence. Where none was needed when the run was started, none is now
    as long as whatever stood in for it still is there."""
    if approvals.enough(change):
        return ""
    if run.exemption and approvals.excuse(change, run.created_at):
        return ""

    number, needed = approvals.counted(change), approvals.needed(change)
    return f"{number} of {needed} approvals count now{approvals.lost(change)}: the change waits for approval again."


def _end(run: Run, change: ChangeRequest, state: str, reason: str) -> None:
    reason = f"Nothing was touched. {reason}"
    states.move(change, C.APPLYING, state, reason=reason)
    outcomes.restore_state(change.cluster, reason)
    outcomes.end(run, Run.State.FAILED, reason, {})
