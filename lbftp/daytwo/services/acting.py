"""Asking for a day-two change: a revision of what is applied with one thing changed, proposed and planned."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from django.contrib.auth.models import User
from django.db import transaction

from lbftp import database
from lbftp.accounts.models import Role
from lbftp.accounts.services import require
from lbftp.changes import states
from lbftp.changes.errors import Invalid, Refused
from lbftp.changes.models import ChangeRequest
from lbftp.changes.services import requests
from lbftp.clusters.models import Cluster
from lbftp.core import day_two
from lbftp.core.day_two import Action, ServerSet, SorrySet
from lbftp.core.lint import lint
from lbftp.core.spec import ClusterSpec, RealServerSpec, SorryServer, SpecError, from_json
from lbftp.daytwo.models import Drain
from lbftp.daytwo.services import rules


def drain(*, user: User, cluster: Cluster, server: str, reason: str = "") -> ChangeRequest:
    """Weight 0: sessions in progress go on, new clients go elsewhere, persistence is honoured."""
    return _act(user, cluster, ServerSet(server, 0), reason)


def disable(*, user: User, cluster: Cluster, server: str, reason: str = "") -> ChangeRequest:
    """Out of the virtual service: sessions in progress are cut off, so it is best drained first."""
    return _act(user, cluster, ServerSet(server, 0, disabled=True), reason)


def enable(*, user: User, cluster: Cluster, server: str, weight: int | None = None, reason: str = "") -> ChangeRequest:
    """Back, with `weight`; None for the one that it had before it was drained or taken out, else 1."""
    if _server(cluster, server).weight:
        raise Refused(f"{server} is in rotation already: give it another weight instead.")
    return _act(user, cluster, ServerSet(server, weight or _weight_before(cluster, server)), reason)


def weigh(*, user: User, cluster: Cluster, server: str, weight: int, reason: str = "") -> ChangeRequest:
    """Another weight for a server that is in rotation; 0 is a drain."""
    if _server(cluster, server).disabled:
        raise Refused(f"{server} is out of rotation: bring it back with that weight.")
    return _act(user, cluster, ServerSet(server, weight), reason)


def set_sorry(*, user: User, cluster: Cluster, address: str, address6: str = "", reason: str = "") -> ChangeRequest:
    """Who answers while no real server does; '' for nobody."""
    try:
        sorry = SorryServer(_v4(address), _v6(address6))
    except SpecError as error:
        raise Invalid.of(error) from error
    return _act(user, cluster, SorrySet(sorry), reason)


def undo(*, user: User, change: ChangeRequest) -> ChangeRequest:
    """The opposite of an applied day-two change: what it changed gets the value it had before."""
    mark = rules.marked(change)
    if mark is None or change.state != ChangeRequest.State.APPLIED:
        raise Refused("Only a day-two change that was applied can be undone this way.")
    cluster = Cluster.objects.select_related("team", "applied").get(pk=change.cluster_id)
    base = cluster.revisions.filter(pk=int(mark["base"])).first()
    if base is None:
        raise Refused("The revision before this change is gone.")
    before = from_json(base.spec)
    action = day_two.between(before, from_json(change.revision.spec))
    if action is None:
        raise Refused("More than one thing was changed: edit the draft instead.")
    if not day_two.in_force(_applied(cluster), action):
        raise Refused("Something else was set since: what this change did is not in force any more.")
    return _act(user, cluster, day_two.opposite(before, action), f"Undoes #{change.pk}.")


def allow_operators(*, user: User, cluster: Cluster, alone: bool) -> None:
    """Whether operators may do day-two changes without another's approval. For administrators."""
    require(user, cluster.team, Role.ADMIN)
    with transaction.atomic():
        row = Cluster.objects.select_for_update().get(pk=cluster.pk)
        if row.operators_alone == alone:
            return
        since = database.now() if alone else None
        Cluster.objects.filter(pk=row.pk).update(operators_alone=alone, operators_alone_since=since)
        text = "Operators may do day-two changes alone." if alone else "Day-two changes need approval again."
        states.left(row, row.state, row.state, user=user, reason=text)
    cluster.operators_alone, cluster.operators_alone_since = alone, since


def _act(user: User, cluster: Cluster, action: Action, reason: str) -> ChangeRequest:
    require(user, cluster.team, Role.OPERATOR)
    with transaction.atomic():
        cluster = Cluster.objects.select_for_update(of=("self",)).select_related("applied", "team").get(pk=cluster.pk)
        before = _applied(cluster)
        after = _carried(before, action)
        title = day_two.words(before, action)
        _refuse_pending(cluster, title)
        mark = {"base": cluster.applied_id, "verb": day_two.verb(before, action)}
        return requests.propose_spec(
            user=user, cluster=cluster, spec=after, params={"day_two": mark}, title=title, reason=reason
        )


def _applied(cluster: Cluster) -> ClusterSpec:
    return from_json(requests.applied(cluster).spec)


def _carried(before: ClusterSpec, action: Action) -> ClusterSpec:
    """What is applied, with the action done. Raises Invalid for values, Refused where nobody would be left."""
    try:
        after = day_two.carried(before, action)
    except SpecError as error:
        raise Invalid.of(error) from error
    if after == before:
        raise Refused("It is so already: nothing would change.")
    if isinstance(action, ServerSet) and (text := day_two.lacking(before, after)):
        raise Refused(text)
    known = {(p.code, p.reason) for p in lint(before)}
    problems = [p.to_json() for p in lint(after) if p.severity == "error" and (p.code, p.reason) not in known]
    if problems:
        raise Invalid(problems)
    return after


def _refuse_pending(cluster: Cluster, title: str) -> None:
    """The same thing asked for twice is one change: a double click makes no second one."""
    waiting = cluster.changes.filter(title=title, params__day_two__base=cluster.applied_id)
    states_open = [ChangeRequest.State.PLANNING, ChangeRequest.State.PROPOSED, ChangeRequest.State.APPROVED]
    if found := waiting.filter(state__in=states_open).first():
        raise Refused(f"{found} is waiting already: apply or withdraw it.")


def _server(cluster: Cluster, name: str) -> RealServerSpec:
    try:
        return day_two.server_of(_applied(cluster), name)
    except SpecError as error:
        raise Invalid.of(error) from error


def _weight_before(cluster: Cluster, server: str) -> int:
    """The weight that it had in the newest applied revision in which it had one."""
    done = cluster.changes.filter(state=ChangeRequest.State.APPLIED, kind=ChangeRequest.Kind.REVISION)
    if found := Drain.objects.filter(cluster=cluster, server=server, ended_at=None).first():
        return found.weight
    for spec in done.order_by("-pk").values_list("revision__spec", flat=True)[:50]:
        for one in spec.get("real_servers", []):
            if one.get("name") == server and one.get("weight"):
                return int(one["weight"])
    return 1


def _v4(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text.strip()) if text.strip() else None
    except ValueError as error:
        raise Invalid.at("address", f"{text[:40]!r} is no IPv4 address.", "Give one such as 10.0.50.99.") from error


def _v6(text: str) -> IPv6Address | None:
    try:
        return IPv6Address(text.strip()) if text.strip() else None
    except ValueError as error:
        raise Invalid.at("address6", f"{text[:40]!r} is no IPv6 address.", "Give one such as fd00:50::99.") from error
