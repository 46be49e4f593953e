"""Proposing to roll a pair of routers back to the checkpoint of an earlier run."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User

from lbftp.accounts.models import Role
from lbftp.accounts.services import require
from lbftp.changes.errors import Refused
from lbftp.changes.models import ChangeRequest, Run
from lbftp.changes.services import checkpoints
from lbftp.changes.services.requests import propose_kind
from lbftp.clusters.models import Cluster
from lbftp.core.ours import CHECKPOINTS_KEPT


def roll_back(*, user: User, run: Run, title: str = "", reason: str = "") -> ChangeRequest:
    """Proposes to bring the routers back to what they held before `run`, and plans it from what lies on them. Later
    runs of the cluster are gone back past as well.

    Raises Refused without the role operator, and for a run whose change does not stand or left no checkpoint.
    """
    cluster = _cluster(user, run)
    names = checkpoints.of_run(run)
    if not names:
        raise Refused(
            f"Run {run.pk} has no checkpoint on the routers: it changed nothing there, or it is none of the last "
            f"{CHECKPOINTS_KEPT} that each router keeps. Propose the earlier values as a change."
        )
    revision = checkpoints.before(run)
    to: dict[str, Any] | None = None
    if revision is not None:
        to = {"revision": revision.pk, "number": revision.number, "spec": revision.spec}
    return propose_kind(
        user=user,
        cluster=cluster,
        kind=ChangeRequest.Kind.ROLLBACK,
        params={"run": run.pk, "checkpoints": names, "to": to},
        title=title or f"Roll {cluster} back to before run {run.pk}",
        reason=reason,
    )


def _cluster(user: User, run: Run) -> Cluster:
    if run.cluster is None or run.kind not in checkpoints.ROLLED_BACK or run.dry:
        raise Refused(f"Run {run.pk} is no apply or roll-back of a cluster: there is nothing to roll back.")
    require(user, run.team, Role.OPERATOR)
    if run.state != Run.State.SUCCEEDED:
        raise Refused(f"What run {run.pk} changed does not stand; it is: {run.get_state_display()}.")
    return run.cluster
