"""The people, machines and addresses of the demonstration, and what they do through the site's services."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User

from lab.report import HostStatus, LabStatus
from lbftp.accounts.models import Role, Team
from lbftp.accounts.services.first import first_administrator, new_first_code
from lbftp.accounts.services.invitations import accept, invite
from lbftp.changes.models import Run
from lbftp.clusters import services as clusters
from lbftp.clusters.drafts import draft_defaults
from lbftp.clusters.models import Cluster
from lbftp.core.hostkey import fingerprint
from lbftp.inventory import services as inventory
from lbftp.inventory.models import Credential, ProbeHost, Router

VIP = "192.0.2.100"
ROUTERS = {"r1": 150, "r2": 100}
SERVERS = {"ftp1": "10.0.50.11", "ftp2": "10.0.50.12"}
FTP_USER, FTP_PASSWORD, FTP_PATH = "ftpuser", "lab-ftp-password", "probe.bin"
UPLOADS = "."
SOURCES = [f"192.0.2.{last}" for last in range(50, 58)]
DRAFT = {
    "vip": VIP,
    "floating": "10.0.50.1",
    "internal_network": "10.0.50.0/24",
    "routers": [{"name": name, "priority": priority} for name, priority in ROUTERS.items()],
    "real_servers": [{"name": name, "weight": 1} for name in SERVERS],
}


@dataclass(slots=True)
class Scene:
    """Who is there, once `people()` was called; passwords are new each time."""

    alice: User
    bob: User
    team: Team
    passwords: dict[str, str]
    routers: dict[str, Router] = field(default_factory=dict)
    probes: dict[str, ProbeHost] = field(default_factory=dict)


def people() -> Scene:
    """Alice, the first administrator, and bob, who is an operator."""
    passwords = {name: f"lab-{secrets.token_urlsafe(9)}" for name in ("alice", "bob")}
    alice = first_administrator(code=new_first_code(), username="alice", password=passwords["alice"], team="Operations")
    team = alice.teams.get()
    link = invite(user=alice, team=team, username="bob", role=Role.OPERATOR)
    bob = accept(token=link.token, password=passwords["bob"], address="")
    return Scene(alice, bob, team, passwords)


def credentials(scene: Scene, lab: LabStatus) -> tuple[Credential, Credential]:
    """(key of the routers, account on the FTP servers)."""
    key = inventory.add_credential(
        user=scene.alice,
        team=scene.team,
        name="routers",
        username=lab.host("r1").user,
        kind=Credential.Kind.KEY,
        secret=Path(lab.host("r1").key).read_text(),
    )
    account = inventory.add_credential(
        user=scene.alice,
        team=scene.team,
        name="ftp account",
        purpose=Credential.Purpose.FTP,
        username=FTP_USER,
        kind=Credential.Kind.PASSWORD,
        secret=FTP_PASSWORD,
    )
    return key, account


def enrol(scene: Scene, host: HostStatus, key: Credential) -> Run:
    """Add a router or the probe host; the run fetches the key that it offers."""
    common: dict[str, Any] = {
        "user": scene.alice,
        "team": scene.team,
        "name": host.name,
        "address": host.address,
        "port": host.port,
        "credential": key,
    }
    if host.name in ROUTERS:
        scene.routers[host.name], run = inventory.add_router(**common)
    else:
        scene.probes[host.name], run = inventory.add_probe_host(**common, source_addresses=SOURCES)
    return run


def confirm(scene: Scene, host: HostStatus) -> Run | None:
    """Confirm the fingerprint that the machine's own console shows; a router is looked at next."""
    row = scene.routers.get(host.name) or scene.probes[host.name]
    row.refresh_from_db()
    return inventory.confirm_host_key(user=scene.alice, host=row, fingerprint=fingerprint(host.host_key))


def define(scene: Scene, account: Credential) -> Cluster:
    """The real servers and the cluster's draft, the rest being the guide's defaults."""
    for name, address in SERVERS.items():
        inventory.add_real_server(user=scene.alice, team=scene.team, name=name, address=address)
    return clusters.save_draft(
        user=scene.alice,
        team=scene.team,
        cluster=None,
        name="ftp",
        comment="Demonstration",
        draft={**draft_defaults(), **DRAFT},
        probe_hosts=[scene.probes["client"]],
        probe_account=account,
        probe_path=FTP_PATH,
        probe_upload_folder=UPLOADS,
    )
