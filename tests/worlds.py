"""A small world: two teams, their people, a pair of routers as the lab has them, two FTP servers, one cluster."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.contrib.auth.models import User

from lbftp.accounts.models import Membership, Role, Team
from lbftp.changes import services
from lbftp.changes.models import ChangeRequest, Run
from lbftp.changes.services import outcomes, runs
from lbftp.clusters.drafts import complete
from lbftp.clusters.models import Cluster
from lbftp.clusters.services import save_draft
from lbftp.compliance.services import set_policy
from lbftp.core.job import Job
from lbftp.inventory.models import Credential, ProbeHost, RealServer, Router

# Looked for wherever secrets must not be.
CANARY_KEY = "CANARY-private-key-7f3a"
CANARY_SUDO = "CANARY-sudo-password-91bc"
CANARY_FTP = "CANARY-ftp-password-5d2e"


@dataclass
class World:
    """alice administers the team, bob and carol operate, victor watches; mallory administers another team, and root is
    a superuser of no team."""

    team: Team
    other_team: Team
    alice: User
    bob: User
    carol: User
    victor: User
    mallory: User
    root: User
    key: Credential
    account: Credential
    r1: Router
    r2: Router
    client: ProbeHost
    ftp1: RealServer
    ftp2: RealServer
    cluster: Cluster


def build() -> World:
    team, other = Team.objects.create(name="files"), Team.objects.create(name="strangers")
    key, account = _credentials(team)
    people = {
        "alice": person("alice", team, Role.ADMIN),
        "bob": person("bob", team, Role.OPERATOR),
        "carol": person("carol", team, Role.OPERATOR),
        "victor": person("victor", team, Role.VIEWER),
        "mallory": person("mallory", other, Role.ADMIN),
        "root": User.objects.create_superuser("root", password="a long enough one"),
    }
    # They have been here for years: tests may turn the clock back.
    Membership.objects.update(role_since=datetime(2020, 1, 1, tzinfo=UTC))
    r1, r2 = (router(team, key, f"r{n}", n) for n in (1, 2))
    client = ProbeHost.objects.create(
        team=team, name="client", address="127.0.0.1", port=2203, credential=key, host_key=host_key()
    )
    ftp1, ftp2 = (
        RealServer.objects.create(team=team, name=f"ftp{n}", address=f"10.0.50.1{n}", address6=f"fd00:50::1{n}")
        for n in (1, 2)
    )
    cluster = save_draft(
        user=people["alice"],
        team=team,
        cluster=None,
        name="web",
        comment="The first one",
        draft=draft(),
        probe_hosts=[client],
        probe_account=account,
        probe_path="pub/probe.bin",
    )
    return World(
        **people,
        team=team,
        other_team=other,
        key=key,
        account=account,
        r1=r1,
        r2=r2,
        client=client,
        ftp1=ftp1,
        ftp2=ftp2,
        cluster=cluster,
    )


def person(name: str, team: Team, role: Role) -> User:
    user = User.objects.create_user(name, password="a long enough one")
    Membership.objects.create(team=team, user=user, role=role)
    return user


def _credentials(team: Team) -> tuple[Credential, Credential]:
    key = Credential.objects.create(
        team=team, name="routers", username="admin", secret=CANARY_KEY, use_sudo=True, sudo_password=CANARY_SUDO
    )
    account = Credential.objects.create(
        team=team,
        name="ftp",
        purpose=Credential.Purpose.FTP,
        username="probe",
        kind=Credential.Kind.PASSWORD,
        secret=CANARY_FTP,
    )
    return key, account


def router(team: Team, credential: Credential, name: str, number: int) -> Router:
    return Router.objects.create(
        team=team,
        name=name,
        address="127.0.0.1",
        port=2200 + number,
        credential=credential,
        host_key=host_key(),
        facts=facts(name, number),
        public_interface="eth1",
        internal_interface="eth2",
    )


def facts(name: str, number: int) -> dict[str, Any]:
    return {
        "hostname": name,
        "platform": "debian",
        "keepalived": "2.2.7",
        "interfaces": [
            {"name": "eth0", "addresses": ["10.0.2.15/24"]},
            {"name": "eth1", "addresses": [f"192.0.2.{number + 1}/24", f"2001:db8::{number + 1}/64", "fe80::1/64"]},
            {"name": "eth2", "addresses": [f"10.0.50.{number + 1}/24", f"fd00:50::{number + 1}/64", "fe80::2/64"]},
            {"name": "eth3", "addresses": ["fe80::3/64"]},
        ],
        "modules": [],
        "warnings": [],
    }


def draft(**changes: Any) -> dict[str, Any]:
    given = {
        "vip": "192.0.2.100",
        "floating": "10.0.50.1",
        "internal_network": "10.0.50.0/24",
        "routers": [{"name": "r1", "priority": 100}, {"name": "r2", "priority": 50}],
        "real_servers": [{"name": "ftp1", "weight": 1}, {"name": "ftp2", "weight": 1}],
    }
    return complete({**given, **changes})


def draft6(**changes: Any) -> dict[str, Any]:
    """The same cluster over both IP versions."""
    given = {"vip6": "2001:db8::100", "floating6": "fd00:50::1", "internal_network6": "fd00:50::/64"}
    return draft(**{**given, **changes})


def host_key() -> str:
    public = Ed25519PrivateKey.generate().public_key()
    return public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def private_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    ).decode()


def edit(world: World, user: User, **changes: Any) -> Cluster:
    """`user` saves the draft with `changes`."""
    cluster = Cluster.objects.get(pk=world.cluster.pk)
    return save_draft(
        user=user,
        team=world.team,
        cluster=cluster,
        name=cluster.name,
        comment=cluster.comment,
        draft=draft(**changes),
        probe_hosts=cluster.probe_hosts.all(),
        probe_account=cluster.probe_account,
        probe_path=cluster.probe_path,
        probe_worker=cluster.probe_worker,
        probe_upload_folder=cluster.probe_upload_folder,
    )


def plan(digest: str = "d" * 64, **changes: Any) -> dict[str, Any]:
    """A plan in the contract's form."""
    step = {"id": "modules", "kind": "modules", "title": "Load ip_vs_ftp", "phase": "run", "why": "PASV"}
    difference = {
        "what": "/etc/modules-load.d/ip_vs_ftp.conf",
        "before": None,
        "after": "ip_vs_ftp\n",
        "diff": "+ip_vs_ftp",
    }
    routers = [{"router": r, "steps": [step], "differences": [difference], "notes": []} for r in ("r1", "r2")]
    base = {"cluster": "web", "revision": "", "digest": digest, "empty": False, "routers": routers, "warnings": []}
    return {**base, **changes}


def claimed(run: Run) -> Job:
    """The job that a worker gets for `run` now."""
    job = runs.claim(run_id=run.pk, worker="worker-1")
    assert job is not None
    return job


def finished(run: Run, state: str = Run.State.SUCCEEDED, **result: Any) -> Run:
    """`run`, done by a worker from claim to end."""
    job = claimed(run)
    runs.finish(run_id=run.pk, fence=job.fence, state=state, outcome=f"It {state}.", result=result)
    run.refresh_from_db()
    return run


def planned(run: Run, digest: str = "d" * 64) -> None:
    """A worker plans `run`."""
    job = claimed(run)
    outcomes.store_plan(run_id=run.pk, fence=job.fence, plan=plan(digest), digest=digest, problems=[])
    runs.finish(run_id=run.pk, fence=job.fence, state="succeeded", outcome="Planned.", result={})


def proposed(world: World, user: User | None = None, digest: str = "d" * 64) -> ChangeRequest:
    """A change of the draft, planned, waiting for approval."""
    change = services.propose(user=user or world.alice, cluster=world.cluster, title="First", reason="We need it")
    planned(change.runs.get(), digest)
    change.refresh_from_db()
    return change


def approved(world: World) -> ChangeRequest:
    change = proposed(world)
    services.approve(user=world.bob, change=change, plan_digest=change.plan_digest)
    change.refresh_from_db()
    return change


def scheduled(world: World, **values: Any) -> None:
    """bob sets the policy; carol approves where that needs it."""
    found = set_policy(user=world.bob, cluster=world.cluster, **values)
    if isinstance(found, ChangeRequest):
        services.approve(user=world.carol, change=found, plan_digest=found.plan_digest)


def applied(world: World) -> ChangeRequest:
    change = approved(world)
    finished(services.apply_change(user=world.bob, change=change))
    change.refresh_from_db()
    world.cluster.refresh_from_db()
    return change
