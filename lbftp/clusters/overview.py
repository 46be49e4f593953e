"""What the page of a cluster shows: the picture, what is promised against what was proven, what was decided when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User

from lbftp.accounts import access
from lbftp.accounts.models import Role
from lbftp.changes import proofs
from lbftp.changes.models import ChangeRequest, Run
from lbftp.changes.services import checkpoints
from lbftp.clusters import ftp_servers, topology
from lbftp.clusters.drafts import complete, flat
from lbftp.clusters.models import Cluster
from lbftp.clusters.sections import BESIDE, SECTIONS, summaries
from lbftp.clusters.specs import check_draft, spec_of
from lbftp.compliance.models import Policy
from lbftp.compliance.services import in_words
from lbftp.core.spec import SpecError, from_json
from lbftp.daytwo import page as day_two
from lbftp.inventory.models import Credential, RealServer, Router
from lbftp.numbers.page import Page as NumbersPage
from lbftp.numbers.page import page as numbers_page
from lbftp.proofs import page as disturbing

C = ChangeRequest.State
OPEN_STATES = (C.PLANNING, C.REFUSED, C.PROPOSED, C.APPROVED, C.STALE, C.APPLYING)


@dataclass(frozen=True, slots=True)
class Overview:
    """`edited`: the draft differs from the applied revision (or nothing is applied). `problems` are the draft's;
    `ftp_servers` is None while the draft is no whole cluster. `draft` is complete; `shared` names the clusters that
    move with this one."""

    cluster: Cluster
    draft: dict[str, Any]
    shared: list[str]
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
    standing: disturbing.Standing
    rotation: day_two.Standing
    checkpoints: list[checkpoints.Checkpoint]
    numbers: NumbersPage | None = None

    @property
    def account_refused(self) -> str:
        """Why the chosen account is not logged in with; '' if it is, or there is none."""
        account = self.cluster.probe_account
        return account.blocking_reason(Credential.Purpose.FTP) if account else ""

    @property
    def schedule(self) -> str:
        return in_words(self.policy.cron) if self.policy else ""

    @property
    def folds(self) -> list[tuple[str, str, bool]]:
        """The settings that most clusters leave as the guide has them: title, values in a line, whether they differ."""
        found = zip(
            SECTIONS,
            summaries({**flat(self.draft), **{name: getattr(self.cluster, name) for name in BESIDE}}),
            strict=True,
        )
        return [(section.title, summary.text, summary.changed) for section, summary in found]

    @property
    def places(self) -> list[str]:
        """Where FTP sessions are made from."""
        names = [host.name for host in self.cluster.probe_hosts.all()]
        return names + (["the worker"] if self.cluster.probe_worker else [])

    @property
    def ports(self) -> str:
        return ", ".join(map(str, ports(self.draft)))

    @property
    def badges(self) -> list[str]:
        """What tells this cluster from the guide's, in a word each."""
        draft = self.draft
        words = [(draft["mode"], draft["mode"] != "helper"), (draft["forwarding"], draft["forwarding"] != "NAT")]
        words += [("TLS", bool(draft["tls"] or draft["implicit_ports"])), ("IPv6", bool(draft["vip6"]))]
        return [word for word, there in words if there]

    @property
    def pressing(self) -> list[dict[str, Any]]:
        return [p for p in self.problems if p["severity"] != "info"]

    @property
    def notes(self) -> list[dict[str, Any]]:
        return [p for p in self.problems if p["severity"] == "info"]

    @property
    def stopped(self) -> bool:
        return any(p["severity"] == "error" for p in self.problems)


def page(cluster: Cluster, user: User) -> Overview:
    proof = proofs.latest([cluster])[cluster.pk]
    draft = complete(cluster.draft)
    shared = _shared(cluster, draft)
    scene = _scene(cluster, draft, proof, shared)
    changes = list(cluster.changes.select_related("author", "revision").defer("plan")[:8])
    runs = list(cluster.runs.select_related("started_by").defer("result")[:8])
    return Overview(
        cluster=cluster,
        draft=draft,
        shared=shared,
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
        standing=disturbing.standing(cluster),
        rotation=day_two.standing(cluster),
        checkpoints=checkpoints.of_cluster(cluster),
        numbers=numbers_page(cluster, whole=False) if cluster.applied else None,
    )


def _edited(cluster: Cluster) -> bool:
    try:
        # Specs are compared and not digests: a revision of an earlier version has the digest of its own form.
        return cluster.applied is None or spec_of(cluster) != from_json(cluster.applied.spec)
    except SpecError:
        return True


def _scene(cluster: Cluster, draft: dict[str, Any], proof: proofs.Proof, shared: list[str]) -> topology.Scene:
    servers = {item["name"]: item for item in draft["real_servers"]}
    states = topology.server_states(list(servers), proof.servers)
    rows = {row.name: row for row in RealServer.objects.filter(team=cluster.team)}
    nat = draft["forwarding"] == "NAT"
    tls = draft["tls"] or draft["implicit_ports"]
    return topology.Scene(
        vips=_given(draft, "vip", "vip6") or ["not set"],
        floating=(_given(draft, "floating", "floating6") or ["not set"]) if nat else [],
        network=", ".join(_given(draft, "internal_network", "internal_network6")) if nat else "",
        ports=f"{', '.join(map(str, ports(draft)))}, {draft['passive']['low']}-{draft['passive']['high']}",
        routers=[_router(cluster, item) for item in draft["routers"]],
        servers=[topology.Member(name, _server(rows.get(name), item), *states[name]) for name, item in servers.items()],
        master=cluster.master,
        shared=", ".join(shared),
        speaks="FTP, FTPS" if tls else "FTP",
        behind={"NAT": "INTERNAL", "DR": "DIRECT ROUTING", "TUN": "TUNNELLING"}.get(draft["forwarding"], ""),
    )


def ports(draft: dict[str, Any]) -> list[int]:
    """Every port that clients log in to."""
    return [*draft["control_ports"], *draft["implicit_ports"]]


def _given(draft: dict[str, Any], *names: str) -> list[str]:
    return [str(draft[name]) for name in names if draft[name]]


def _server(row: RealServer | None, item: dict[str, Any]) -> tuple[str, ...]:
    address = (row.addresses[0] if row else "unknown") + (" +v6" if row and len(row.addresses) > 1 else "")
    return address, "out of rotation" if item.get("disabled") else f"weight {item.get('weight', 1)}"


def _shared(cluster: Cluster, draft: dict[str, Any]) -> list[str]:
    """Names of the team's other clusters whose addresses move with this one's."""
    mine = draft["vrrp"]["group"] or cluster.name
    others = cluster.team.clusters.exclude(pk=cluster.pk)
    return [other.name for other in others if (complete(other.draft)["vrrp"]["group"] or other.name) == mine]


def _router(cluster: Cluster, item: dict[str, Any]) -> topology.Member:
    row = Router.objects.filter(team=cluster.team, name=item["name"]).first()
    sides = f"{row.public_interface or '?'} → {row.internal_interface or '?'}" if row else "not enrolled"
    rests = row is not None and hasattr(row, "rest")
    return topology.Member(item["name"], (sides, "in maintenance" if rests else f"priority {item.get('priority')}"))
