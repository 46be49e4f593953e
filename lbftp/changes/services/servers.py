"""Proposing to set, on real servers that lbftp may log in to, the keys that the cluster needs otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.models import User

from lbftp.accounts.models import Role
from lbftp.accounts.services import require
from lbftp.changes.errors import Invalid, Refused
from lbftp.changes.models import ChangeRequest
from lbftp.changes.services.requests import applied, propose_kind
from lbftp.clusters.models import Cluster
from lbftp.inventory.models import ServerHost


def reachable(cluster: Cluster) -> list[str]:
    """The real servers of what is applied that have confirmed SSH access, sorted; [] where nothing is applied."""
    if cluster.applied is None:
        return []
    names = [str(server["name"]) for server in cluster.applied.spec["real_servers"]]
    rows = ServerHost.objects.filter(team=cluster.team_id, name__in=names).exclude(host_key="")
    return sorted(rows.values_list("name", flat=True))


def set_keys(
    *, user: User, cluster: Cluster, servers: Sequence[str] = (), title: str = "", reason: str = ""
) -> ChangeRequest:
    """Proposes to bring the named real servers, () for all that can be logged in to, into step with what is applied,
    and plans it from their own files.

    Raises Refused without the role operator, where nothing is applied and where there is no access; Invalid for a name.
    """
    require(user, cluster.team, Role.OPERATOR)
    applied(cluster)
    known = reachable(cluster)
    if not known:
        raise Refused(
            f"No real server of {cluster} has confirmed SSH access: give it under Machines, Real servers, or set the "
            "lines of the cluster's page there yourself."
        )
    if unknown := sorted(set(servers) - set(known)):
        raise Invalid.at("servers", f"{unknown[0][:40]!r} cannot be logged in to.", f"Use {', '.join(known)}.")
    names = sorted(set(servers) or known)
    return propose_kind(
        user=user,
        cluster=cluster,
        kind=ChangeRequest.Kind.SERVERS,
        params={"servers": names},
        title=(title or f"Bring {', '.join(names)} into step with {cluster}")[:120],
        reason=reason,
    )
