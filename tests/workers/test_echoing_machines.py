"""Fifty secrets, and machines that repeat every one of them in every way: nothing of them is kept or shown anywhere."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
import structlog
from django.apps import apps
from django.conf import settings
from django.core import serializers
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from lbftp.changes import services
from lbftp.changes.models import Run
from lbftp.changes.services import runs
from lbftp.clusters.services import dump
from lbftp.compliance import services as compliance
from lbftp.daytwo.models import Drain
from lbftp.inventory.models import Credential, ProbeHost, RealServer, Router, ServerHost
from ops.bench.sshd import Target, private_sshd
from tests.worlds import World, applied
from workers import tasks
from workers.execution import run_claimed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]
MACHINES = 10


@dataclass
class Canaries:
    """Every secret of the world: of each machine a key and a sudo password, and the FTP account's."""

    words: list[str]
    keys: list[str]

    def forms(self, cut: int = 4) -> list[str]:
        """What must not be found: each word as it is and as others write it, each line of each key. The end of base64
        depends on what follows: so many characters of it are left out."""
        lines = [x for key in self.keys for x in key.splitlines() if len(x) > 20 and not x.startswith("-")]
        found = [*lines, *(key.replace("\n", "\\n") for key in self.keys)]
        for word in self.words:
            found += [word, json.dumps(word)[1:-1], urllib.parse.quote(word), word.encode().hex()]
            code = base64.b64encode(word.encode()).decode()
            found.append(code[: len(code) - cut])
        return found


@pytest.fixture
def echoing(world: World, tmp_path: Path) -> Iterator[tuple[Target, Canaries, Path]]:
    """Every machine of the world is one SSH server. Whoever logs in with a machine's key gets the secrets of that machine
    printed in every form, before and after all that is sent to it."""
    code = tmp_path / "code"
    code.write_text("0")
    with private_sshd(tmp_path / "d") as target:
        yield target, _given(world, target, tmp_path), code


def _given(world: World, target: Target, folder: Path) -> Canaries:
    account = f"CANARY ftp-{secrets.token_hex(4)} \"'$&"
    Credential.objects.filter(pk=world.account.pk).update(secret=account)
    hosts = [world.r1, world.r2, world.client]
    for server in (world.ftp1, world.ftp2):
        hosts.append(ServerHost(team=world.team, server=server, name=server.name, credential=world.key))
    while len(hosts) < MACHINES:
        hosts.append(ProbeHost(team=world.team, name=f"p{len(hosts)}", credential=world.key))
    found = Canaries([account], [])
    for number, host in enumerate(hosts):
        sudo = f"CANARY-sudo-{number}-{secrets.token_hex(4)}é%'\\" if number % 2 else ""
        key = _key(folder, number)
        host.credential = Credential.objects.create(
            team=world.team,
            name=f"c{number}",
            username=target.user,
            secret=key,
            use_sudo=bool(sudo),
            sudo_password=sudo,
        )
        host.address, host.port, host.host_key = "127.0.0.1", target.port, target.host_key
        host.save()
        words = [word for word in (sudo, account if isinstance(host, ProbeHost) else "") if word]
        said = "\n".join([f"530 PASS {form} is wrong" for form in Canaries(words, [key]).forms(cut=0)] + [key])
        (folder / f"told{number}").write_text(said)
        found.words += [sudo] if sudo else []
        found.keys.append(key)
    world.cluster.probe_hosts.set([h for h in hosts if isinstance(h, ProbeHost)][:3])
    return found


def _key(folder: Path, number: int) -> str:
    """A new private key that may log in."""
    path, told = folder / f"key{number}", folder / f"told{number}"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "x", "-f", str(path)], check=True)
    command = f"cat {told}; cat {told} >&2; tee /dev/stderr; cat {told}; cat {told} >&2; exit $(cat {folder / 'code'})"
    with (folder / "d" / "authorized_keys").open("a") as allowed:
        allowed.write(f'command="{command}" {path.with_suffix(".pub").read_text()}')
    return path.read_text()


def _runs(world: World) -> list[Run]:
    """One of every kind that begins with a look, in the order in which people do them."""
    kinds = Run.Kind
    change = services.propose(user=world.alice, cluster=world.cluster, title="Again", reason="x")
    return [
        runs.start(kind=kinds.ENROL, team=world.team, host=world.client),
        runs.start(kind=kinds.FACTS, team=world.team, host=world.r2),
        runs.start(kind=kinds.IMPORT, team=world.team, router_ids=[world.r1.pk, world.r2.pk]),
        change.runs.get(),
        services.verify(user=world.bob, cluster=world.cluster),
        services.comply(user=world.bob, cluster=world.cluster, reapply=True),
    ]


@pytest.mark.parametrize("code", ["0", "3"])
def test_nothing_that_machines_repeat_is_kept_or_shown(  # noqa: PLR0917 - fixtures
    world: World,
    echoing: tuple[Target, Canaries, Path],
    code: str,
    client: Client,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, canaries, exit_code = echoing
    exit_code.write_text(code)
    assert len(canaries.words) + sum(len(k.splitlines()) for k in canaries.keys) >= 50
    applied(world)
    Drain.objects.create(cluster=world.cluster, server="ftp1", started_at=world.cluster.state_at or timezone.now())
    compliance.set_policy(
        user=world.alice, cluster=world.cluster, cron="*/15 * * * *", time_zone="UTC", action="report", enabled=True
    )
    begun = _runs(world)
    for run in begun:
        run_claimed(run.pk)
        run.refresh_from_db()
        assert run.state in (Run.State.FAILED, Run.State.SUCCEEDED, Run.State.CANCELLED), run.outcome
    tasks.sample()
    tasks.drain()
    assert Drain.objects.get().problem
    assert sum(run.state == Run.State.FAILED for run in begun) >= 4
    rows = [row for model in apps.get_models() if model is not Credential for row in model._default_manager.all()]
    texts = {"database": serializers.serialize("json", rows) + repr([row.__dict__ for row in rows])}
    texts["redis"] = _broker()
    texts["logs"] = caplog.text + "".join(capsys.readouterr())
    texts["pages"] = _pages(client, world, begun)
    texts["export"] = json.dumps(dump(world.cluster), ensure_ascii=False)
    for words in (["status"], ["status", "--json"]):
        call_command("lbftp", *words)
    texts["command line"] = "".join(capsys.readouterr())
    found = [(where, form) for where, text in texts.items() for form in canaries.forms() if form in text]
    assert found == []
    # They came as far as the door: what is kept of them is the mark.
    assert "[secret]" in texts["database"]


def _broker() -> str:
    """Everything that Redis keeps: tasks, results, groups."""
    found = []
    for database in range(4):
        with redis.Redis(unix_socket_path=settings.REDIS_SOCKET, db=database) as client:
            found += [str(client.dump(key)) for key in client.scan_iter()]
    return "".join(found)


def _pages(client: Client, world: World, begun: list[Run]) -> str:
    client.force_login(world.alice)
    home = f"/clusters/{world.cluster.pk}/"
    paths = ["/", "/runs/", "/changes/", "/audit/", "/compliance/", home, f"{home}compliance/", f"{home}servers/"]
    paths += [f"/runs/{run.pk}/" for run in begun] + [f"/changes/{c.pk}/" for c in world.cluster.changes.all()]
    paths += [f"/routers/{row.pk}/" for row in Router.objects.all()]
    paths += [f"/real-servers/{row.pk}/" for row in RealServer.objects.all()]
    shown = []
    for path in paths:
        answer = client.get(path)
        assert answer.status_code == 200, path
        shown.append(answer.content.decode())
    return "".join(shown)


def test_a_log_line_with_a_traceback_has_the_mark(capsys: pytest.CaptureFixture[str]) -> None:
    from lbftp.core.secrecy import known

    with known(["hunter-two-canary"]):
        try:
            raise ValueError("PASS hunter-two-canary\x1b[2J")
        except ValueError:
            structlog.get_logger("x").exception("broke", said={"deep": ["hunter-two-canary"]})
    said = capsys.readouterr().out
    assert "hunter-two" not in said
    assert said.count("[secret]") >= 2
    assert "\x1b" not in said
