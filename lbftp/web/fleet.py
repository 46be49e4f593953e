"""What the first page shows: every cluster as a row, what waits for this person, what goes on, and the first steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import User

from lbftp.accounts import access
from lbftp.accounts.models import Role, Team
from lbftp.changes import approvals, proofs
from lbftp.changes.models import ChangeRequest, Run
from lbftp.clusters.models import Cluster
from lbftp.clusters.overview import OPEN_STATES
from lbftp.compliance.page import Look, past
from lbftp.inventory.models import Credential, ProbeHost, RealServer, Router
from lbftp.proofs.models import Rest

S = Cluster.State
_URGENCY: Final = (S.FAILED, S.DRIFTED, S.APPLYING, S.UNKNOWN, S.IN_STEP)


@dataclass(frozen=True, slots=True)
class ClusterRow:
    """`routers`: name and role, '' where nobody knows who is master; `resting`: those of them in maintenance. `up`
    counts real servers proven in every mode."""

    cluster: Cluster
    routers: list[tuple[str, str]]
    up: int
    total: int
    proof: proofs.Proof
    looks: list[Look]
    open_change: ChangeRequest | None
    resting: list[Rest]

    @property
    def summary(self) -> str:
        bad = sum(look.state != "ok" for look in self.looks)
        return f"{len(self.looks)} looks, {bad} with findings"


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """How far a fresh site is. The steps are worth showing until a cluster is there."""

    credentials: int
    routers: int
    confirmed: int
    servers: int
    probes: int
    clusters: int
    managed: bool

    @property
    def current(self) -> int:
        """The step to do now, from 1."""
        if self.confirmed < 2:
            return 1
        return 3 if self.servers else 2


@dataclass(frozen=True, slots=True)
class Fleet:
    rows: list[ClusterRow]
    waiting: list[ChangeRequest]
    running: list[Run]
    first: FirstSteps
    teams: int

    @property
    def counts(self) -> list[tuple[str, str, int]]:
        """State, its word and how many clusters are in it, the urgent ones first; none with zero."""
        states = [row.cluster.state for row in self.rows]
        return [(s.value, str(s.label), states.count(s)) for s in _URGENCY if s in states]


def fleet(user: User) -> Fleet:
    clusters = list(access.visible(user, Cluster).select_related("team", "policy").order_by("name"))
    proven, looks = proofs.latest(clusters), past(clusters)
    changes = access.visible(user, ChangeRequest).filter(state__in=OPEN_STATES).defer("plan")
    newest = {change.cluster_id: change for change in changes.order_by("pk")}
    going_on = access.visible(user, Run.objects.select_related("cluster", "started_by").defer("result"))
    resting = _resting(clusters)
    rows = [_row(c, proven[c.pk], looks[c.pk], newest.get(c.pk), resting.get(c.team_id, {})) for c in clusters]
    return Fleet(
        # What needs somebody comes first; the sort keeps names in order within a state.
        rows=sorted(rows, key=lambda row: _URGENCY.index(row.cluster.state)),
        waiting=approvals.waiting_for(user),
        running=list(going_on.filter(state__in=(Run.State.QUEUED, Run.State.RUNNING)).order_by("-pk")[:10]),
        first=_first_steps(user, len(clusters)),
        teams=access.visible(user, Team).count(),
    )


def _resting(clusters: list[Cluster]) -> dict[int, dict[str, Rest]]:
    """Routers in maintenance by team and name, in one query."""
    found: dict[int, dict[str, Rest]] = {}
    for rest in Rest.objects.filter(router__team__in={c.team_id for c in clusters}).select_related("router"):
        found.setdefault(rest.router.team_id, {})[rest.router.name] = rest
    return found


def _row(
    cluster: Cluster, proof: proofs.Proof, looks: list[Look], change: ChangeRequest | None, resting: dict[str, Rest]
) -> ClusterRow:
    names = [item["name"] for item in cluster.draft.get("routers", [])]
    roles = {True: "MASTER", False: "BACKUP"}
    servers = [item["name"] for item in cluster.draft.get("real_servers", [])]
    return ClusterRow(
        cluster=cluster,
        routers=[(name, roles[name == cluster.master] if cluster.master else "") for name in names],
        up=sum(proof.servers.get(name, False) for name in servers),
        total=len(servers),
        proof=proof,
        looks=looks,
        open_change=change,
        resting=[resting[name] for name in names if name in resting],
    )


def _first_steps(user: User, clusters: int) -> FirstSteps:
    def count(model: Any) -> int:
        return int(access.visible(user, model).count())

    ready = access.visible(user, Router).exclude(host_key="").exclude(internal_interface="").count()
    managed = user.memberships.filter(role=Role.ADMIN).exists()
    return FirstSteps(count(Credential), count(Router), ready, count(RealServer), count(ProbeHost), clusters, managed)
