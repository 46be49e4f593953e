"""Schedules by which routers are changed without anybody: proposed and approved like a change, in force with that."""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from lbftp.changes import states, terms
from lbftp.changes.errors import Conflict, Refused
from lbftp.changes.models import ChangeRequest
from lbftp.changes.services import requests
from lbftp.clusters.models import Cluster
from lbftp.core.spec import canonical

C = ChangeRequest.State


def propose_policy(  # noqa: PLR0913 - what the change is made of
    *,
    user: User,
    cluster: Cluster,
    values: dict[str, Any],
    instead_of: dict[str, Any],
    covers: terms.Terms,
    title: str,
) -> ChangeRequest:
    """A change that sets the cluster's schedule to `values` (checked by the caller), waiting for approval at once: no
    router is asked. `covers` says in words what is approved, `instead_of` has the values that are set now. To be called
    with the cluster's row locked.

    Raises Refused without the role operator, where nothing is applied, and where the same waits already.
    """
    title = requests.checked_title(user, cluster, title, "")
    params = {"policy": values, "instead_of": instead_of, "terms": covers}
    with transaction.atomic():
        revision = requests.applied(cluster)
        _refuse_waiting(cluster, values)
        change = requests.created(
            cluster=cluster, kind=ChangeRequest.Kind.POLICY, params=params, revision=revision, author=user, title=title
        )
        _plan(change)
    return change


def take_effect(change: ChangeRequest, user: User) -> None:
    """The approved schedule is in force, as `user`'s approval was the last one needed.

    Raises Refused where somebody set another one since it was proposed: what was approved stands instead of that one.
    """
    # compliance.services itself needs the services of changes.
    from lbftp.compliance import services as compliance

    values, seen = change.params["policy"], change.params.get("instead_of")
    try:
        compliance.put_in_force(user=user, cluster=change.cluster, values=values, seen=seen)
    except Conflict as error:
        who = " and ".join(error.who) or "Somebody"
        raise Refused(
            f"{who} set another schedule since this was proposed, and it would be removed: reject this change, and "
            "propose the schedule anew from what is set now."
        ) from error

    states.move(change, C.APPROVED, C.APPLIED, user=user, reason="The schedule is in force.")


def _plan(change: ChangeRequest) -> None:
    """What is approved is the schedule alone: no step on any router."""
    digest = hashlib.sha256(canonical(change.params).encode()).hexdigest()
    plan = {
        "cluster": change.cluster.name,
        "revision": change.revision.digest,
        "kind": change.kind,
        "digest": digest,
        "empty": False,
        "routers": [],
        "warnings": [],
    }
    frozen = terms.freeze(change)
    columns: dict[str, Any] = {"plan": plan, "terms": frozen, "plan_digest": terms.digest(digest, frozen)}
    states.move(change, C.PLANNING, C.PROPOSED, user=change.author, reason="It sets a schedule.", **columns)


def _refuse_waiting(cluster: Cluster, values: dict[str, Any]) -> None:
    waiting = cluster.changes.filter(kind=ChangeRequest.Kind.POLICY, state=C.PROPOSED)
    if found := next((change for change in waiting if change.params["policy"] == values), None):
        raise Refused(f"{found} is waiting for approval already.")
