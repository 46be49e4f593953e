"""What the page of a cluster shows: the picture, what is promised against what was proven, what was decided when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User

from lbftp.accounts import access
from lbftp.accounts.models import Role
from lbftp.changes import proofs
from lbftp.changes.models import ChangeRequest, Run
from lbftp.clusters import ftp_servers, topology
from lbftp.clusters.models import Cluster
from lbftp.clusters.specs import check_draft, spec_of
from lbftp.compliance.models import Policy
from lbftp.compliance.services import in_words
from lbftp.core.spec import SpecError
from lbftp.inventory.models import RealServer, Router

C = ChangeRequest.State
OPEN_STATES = (C.PLANNING, C.REFUSED, C.PROPOSED, C.APPROVED, C.STALE, C.APPLYING)


@dataclass(frozen=True, slots=True)
class Overview:
    """`edited`: the draft differs from the applied revision (or nothing is applied). `problems` are the draft's;
    `ftp_servers` is None while the draft is no whole cluster."""

    cluster: Cluster
    operator: bool
    proof: proofs.Proof
    pictures: tuple[topology.Picture, topology.Picture]
    problems: list[dict[str, Any]]
    edited: bool
    policy: Policy | None
    open_changes: list[ChangeRequest]
    changes: list[ChangeRequest]
    revisions: list[Any]
    runs: list[Run]
    running: list[Run]
    ftp_servers: ftp_servers.FtpServers | None

    @property
    def schedule(self) -> str:
        return in_words(self.policy.cron) if self.policy else ""

    @property
    def servers(self) -> int:
        return len(self.cluster.draft.get("real_servers", []))

    @property
    def stopped(self) -> bool:
        return any(p["severity"] == "error" for p in self.problems)


def page(cluster: Cluster, user: User) -> Overview:
    proof = proofs.latest([cluster])[cluster.pk]
    scene = _scene(cluster, proof)
    changes = list(cluster.changes.select_related("author", "revision").defer("plan")[:8])
    runs = list(cluster.runs.select_related("started_by").defer("result")[:8])
    return Overview(
        cluster=cluster,
        operator=access.has_role(user, cluster.team, Role.OPERATOR),
        proof=proof,
        pictures=(topology.wide(scene), topology.tall(scene)),
        problems=check_draft(cluster, cluster.team),
        edited=_edited(cluster),
        policy=Policy.objects.filter(cluster=cluster).first(),
        open_changes=[c for c in changes if c.state in OPEN_STATES],
        changes=changes,
        revisions=list(cluster.revisions.select_related("author")[:8]),
        runs=runs,
        running=[r for r in runs if r.state in (Run.State.QUEUED, Run.State.RUNNING)],
        ftp_servers=ftp_servers.part(cluster),
    )


def _edited(cluster: Cluster) -> bool:
    try:
        return cluster.applied is None or spec_of(cluster).digest != cluster.applied.digest
    except SpecError:
        return True


def _scene(cluster: Cluster, proof: proofs.Proof) -> topology.Scene:
    draft = cluster.draft
    servers = [item["name"] for item in draft.get("real_servers", [])]
    states = topology.server_states(servers, proof.servers)
    addresses = dict(RealServer.objects.filter(team=cluster.team).values_list("name", "address"))
    weights = {item["name"]: item.get("weight", 1) for item in draft.get("real_servers", [])}
    passive = draft.get("passive", {})
    return topology.Scene(
        vip=draft.get("vip") or "not set",
        floating=draft.get("floating") or "not set",
        network=draft.get("internal_network") or "",
        ports=f"{draft.get('control_port', 21)}, {passive.get('low')}-{passive.get('high')}",
        routers=[_router(cluster, item) for item in draft.get("routers", [])],
        servers=[
            topology.Member(name, (addresses.get(name, "unknown"), f"weight {weights[name]}"), *states[name])
            for name in servers
        ],
        master=cluster.master,
    )


def _router(cluster: Cluster, item: dict[str, Any]) -> topology.Member:
    row = Router.objects.filter(team=cluster.team, name=item["name"]).first()
    sides = f"{row.public_interface or '?'} → {row.internal_interface or '?'}" if row else "not enrolled"
    return topology.Member(item["name"], (sides, f"priority {item.get('priority')}"))
