"""Proposing proofs that disturb, and taking routers out and bringing them back: each is a change like any other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import User

from lbftp import waiting
from lbftp.changes.errors import Invalid, Refused
from lbftp.changes.models import ChangeRequest, Run
from lbftp.changes.services.requests import applied, propose_kind
from lbftp.clusters.models import Cluster
from lbftp.core.durations import Need
from lbftp.core.proofs import FOREIGN, REFUSE
from lbftp.proofs.services.rests import resting

PATIENCE: Final = (60, 3600)
PATIENCE_SECONDS: Final = 600


def restart(*, user: User, cluster: Cluster, foreign: str = REFUSE, title: str = "", reason: str = "") -> ChangeRequest:
    """The restart proof. `foreign`: what is done about rules that others only run (core.proofs.FOREIGN)."""
    if foreign not in FOREIGN:
        raise Invalid.at("foreign", f"{foreign[:40]!r} is not a choice.", f"Use {', '.join(FOREIGN)}.")
    return _propose(user, cluster, "restart", {"foreign": foreign}, title or f"Restart proof of {cluster}", reason)


def reboot(  # noqa: PLR0913 - the form's fields
    *,
    user: User,
    cluster: Cluster,
    routers: Sequence[str] = (),
    patience: int = PATIENCE_SECONDS,
    title: str = "",
    reason: str = "",
) -> ChangeRequest:
    """The reboot proof of the named routers, () for both. `patience`: seconds within which each has to come back."""
    known = _routers(cluster)
    if unknown := sorted(set(routers) - set(known)):
        raise Invalid.at("routers", f"{unknown[0][:40]!r} is no router of {cluster}.", f"Use {' or '.join(known)}.")
    low, high = PATIENCE
    if not low <= patience <= high:
        raise Invalid.at("patience", f"{patience} is too short or too long.", f"Use {low} to {high} seconds.")
    need = Need("reboot", settings.RUN_SECONDS, guard=cluster.guard_seconds, patience=patience)
    if blocked := waiting.too_long(need):
        raise Invalid.at("patience", f"A run could not wait {patience} s for each router.", blocked)
    params = {"routers": sorted(routers or known), "patience": patience}
    return _propose(user, cluster, "reboot", params, title or f"Reboot proof of {cluster}", reason)


def failover(*, user: User, cluster: Cluster, title: str = "", reason: str = "") -> ChangeRequest:
    """The failover proof. It needs a probe host."""
    account = cluster.probe_account
    if not cluster.probe_hosts.exists() or account is None:
        raise Refused(f"{cluster} has no probe host or no FTP account: nobody would make sessions meanwhile.")
    if blocked := account.blocking_reason(account.Purpose.FTP):
        raise Refused(f"{blocked} Choose an FTP account in the form of {cluster} first.")
    return _propose(user, cluster, "failover", {}, title or f"Failover proof of {cluster}", reason)


def maintain(  # noqa: PLR0913 - the form's fields
    *, user: User, cluster: Cluster, router: str, out: bool, title: str = "", reason: str = ""
) -> ChangeRequest:
    """A router's addresses move to the other one and it rests until it is brought back; or (not `out`) it comes back,
    which nobody else has to approve."""
    known = _routers(cluster)
    if router not in known:
        raise Invalid.at("router", f"{router[:40]!r} is no router of {cluster}.", f"Use {' or '.join(known)}.")
    found = resting(cluster.team, known)
    if out and found:
        raise Refused(f"{' and '.join(sorted(found))} is in maintenance already: only one router of a pair can be.")
    if not out and router not in found and not _unclear(cluster, router):
        raise Refused(f"{router} is not in maintenance.")
    words = f"Take {router} out for maintenance" if out else f"Bring {router} back from maintenance"
    return _propose(user, cluster, "maintenance", {"router": router, "out": out}, title or words, reason)


def _unclear(cluster: Cluster, router: str) -> bool:
    """Whether the last run that moved the router ended by an error of lbftp: it may be out, unwritten."""
    runs = cluster.runs.filter(kind=Run.Kind.MAINTENANCE, dry=False, change__params__router=router)
    last = runs.exclude(ended_at=None).first()
    return last is not None and last.state == Run.State.ERRORED


def _routers(cluster: Cluster) -> list[str]:
    return [str(r["name"]) for r in applied(cluster).spec["routers"]]


def _propose(  # noqa: PLR0913, PLR0917 - the columns of the row
    user: User, cluster: Cluster, kind: str, params: dict[str, Any], title: str, reason: str
) -> ChangeRequest:
    return propose_kind(
        user=user, cluster=cluster, kind=ChangeRequest.Kind(kind), params=params, title=title, reason=reason
    )
