"""Proposing a cluster's draft as a change, and planning a change again."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max

from lbftp.accounts.models import Role
from lbftp.accounts.services import require
from lbftp.changes import origin, states
from lbftp.changes.errors import Invalid, Refused
from lbftp.changes.models import ChangeRequest, Run
from lbftp.changes.services import runs
from lbftp.clusters.models import Cluster, Revision
from lbftp.clusters.specs import check_draft, spec_of
from lbftp.core.spec import ClusterSpec, to_json


def propose(*, user: User, cluster: Cluster, title: str, reason: str) -> ChangeRequest:
    """Makes an immutable revision of the draft, a change request for it, and the run that plans it.

    Raises Invalid with every problem if the draft has errors, Refused without the role operator.
    """
    title = checked_title(user, cluster, title, reason)
    with transaction.atomic():
        # The row lock gives two proposers different numbers, and each the draft as it is stored.
        cluster = Cluster.objects.select_for_update().get(pk=cluster.pk)
        refuse_errors(cluster)
        change = created(
            cluster=cluster, revision=_revision(user, cluster, reason), author=user, title=title, reason=reason
        )
        _plan(user, change)
    return change


def propose_kind(  # noqa: PLR0913 - the columns of the row
    *, user: User, cluster: Cluster, kind: ChangeRequest.Kind, params: dict[str, Any], title: str, reason: str
) -> ChangeRequest:
    """A change of another kind than bringing the routers to a revision, about what is applied, and the run
    that plans it.

    `params` were checked by the caller. Raises Invalid for title and reason, Refused without the role operator, and
    where nothing is applied.
    """
    title = checked_title(user, cluster, title, reason)
    with transaction.atomic():
        cluster = Cluster.objects.select_for_update(of=("self",)).select_related("applied").get(pk=cluster.pk)
        change = created(
            cluster=cluster,
            kind=kind,
            params=params,
            revision=applied(cluster),
            author=user,
            title=title,
            reason=reason,
        )
        _plan(user, change)
    return change


def propose_spec(  # noqa: PLR0913 - the columns of the row
    *, user: User, cluster: Cluster, spec: ClusterSpec, params: dict[str, Any], title: str, reason: str
) -> ChangeRequest:
    """A change to a spec that was not made from the draft, and the run that plans it. `user` alone made the spec;
    what is unfinished in the draft has no part in it. To be called with the cluster's row locked.
    """
    title = checked_title(user, cluster, title, reason)
    revision = _frozen(user, cluster, spec, reason)
    revision.editors.set([user])
    change = created(cluster=cluster, params=params, revision=revision, author=user, title=title, reason=reason)
    _plan(user, change)
    return change


def created(**columns: Any) -> ChangeRequest:
    """The row. How many approvals it needs is what its cluster, whose row is held, asks for now."""
    needed = max(1, columns["cluster"].approvals_required)
    return ChangeRequest.objects.create(approvals_needed=needed, origin=origin.present(), **columns)


def applied(cluster: Cluster) -> Revision:
    """The revision that the routers were brought to. Raises Refused where there is none."""
    if cluster.applied is None:
        raise Refused(f"Nothing of {cluster.name} is applied yet: propose, approve and apply a change first.")
    return cluster.applied


def checked_title(user: User, cluster: Cluster, title: str, reason: str) -> str:
    """The title as it is kept, once both are found good and the user may propose."""
    require(user, cluster.team, Role.OPERATOR)
    title = title.strip()
    if not title or len(title) > 120:
        raise Invalid.at("title", "It is empty or too long.", "Say in up to 120 characters what the change is for.")
    if len(reason) > 2000:
        raise Invalid.at("reason", "It is too long.", "Use up to 2000 characters.")
    return title


def replan(*, user: User, change: ChangeRequest) -> Run:
    """Plans the same revision anew from what the routers hold now. The change waits for approval of that plan."""
    require(user, change.cluster.team, Role.OPERATOR)
    with transaction.atomic():
        change = ChangeRequest.objects.select_for_update().select_related("cluster__team").get(pk=change.pk)
        if change.kind == ChangeRequest.Kind.POLICY:
            raise Refused("A schedule has no plan of routers: withdraw it, and set it again.")
        old, new = change.state, ChangeRequest.State.PLANNING
        if not states.may_move(change, new) or not states.move(
            change, old, new, user=user, reason="plan again", plan=None, plan_digest="", terms=[], problems=[]
        ):
            raise Refused(f"This change cannot be planned again; it is: {change.get_state_display()}.")
        return _plan(user, change)


def refuse_errors(cluster: Cluster) -> None:
    """Raises Invalid with all problems if one of the draft's is an error."""
    problems = check_draft(cluster, cluster.team)
    if any(p["severity"] == "error" for p in problems):
        raise Invalid(problems)


def _plan(user: User, change: ChangeRequest) -> Run:
    cluster = change.cluster
    return runs.start(
        kind=Run.Kind.PLAN, team=cluster.team, user=user, cluster=cluster, change=change, revision=change.revision
    )


def _revision(user: User, cluster: Cluster, reason: str) -> Revision:
    """The draft, frozen. Its editors are all who had a part in it since the revision that is applied: what nobody
    else has let through yet stays theirs, also if it was proposed before."""
    spec = spec_of(cluster)
    applied = cluster.applied.number if cluster.applied else 0
    editors = {user.pk, *cluster.draft_editors.values_list("pk", flat=True)}
    pending = cluster.revisions.filter(number__gt=applied)
    editors.update(pk for pk in pending.values_list("editors", flat=True) if pk is not None)
    revision = _frozen(user, cluster, spec, reason)
    revision.editors.set(editors)
    cluster.draft_editors.clear()
    return revision


def _frozen(user: User, cluster: Cluster, spec: ClusterSpec, reason: str) -> Revision:
    last = cluster.revisions.aggregate(last=Max("number"))["last"] or 0
    return Revision.objects.create(
        cluster=cluster, number=last + 1, spec=to_json(spec), digest=spec.digest, author=user, reason=reason[:500]
    )
