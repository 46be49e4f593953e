"""Runs that look: a plan nobody proposed, a verification, a compliance run (which may put right what it finds)."""

from __future__ import annotations

from django.contrib.auth.models import User

from lbftp.accounts.models import Role
from lbftp.accounts.services import require
from lbftp.changes.models import Run
from lbftp.changes.services import runs
from lbftp.changes.services.requests import applied, refuse_errors
from lbftp.clusters.models import Cluster


def plan_only(*, user: User, cluster: Cluster) -> Run:
    """What applying the draft would do now. The plan is in the run's result; nothing is proposed."""
    require(user, cluster.team, Role.OPERATOR)
    refuse_errors(cluster)
    return runs.start(kind=Run.Kind.PLAN, team=cluster.team, user=user, cluster=cluster)


def verify(*, user: User, cluster: Cluster) -> Run:
    """Looks at the routers and makes FTP sessions through the VIP. Changes nothing."""
    require(user, cluster.team, Role.OPERATOR)
    return runs.start(kind=Run.Kind.VERIFY, team=cluster.team, user=user, cluster=cluster, revision=applied(cluster))


def comply(*, user: User | None, cluster: Cluster, reapply: bool) -> Run:
    """Compares the routers with the applied revision; with `reapply` puts back what was approved and applied before.

    `user` None is the schedule.
    """
    if user is not None:
        require(user, cluster.team, Role.OPERATOR)
    return runs.start(
        kind=Run.Kind.COMPLY,
        team=cluster.team,
        user=user,
        cluster=cluster,
        revision=applied(cluster),
        reapply=reapply,
    )
