from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.test import Client
from django.utils import timezone

from lbftp.changes.services.sweep import sweep
from lbftp.health import services as health
from lbftp.health.models import Pulse
from lbftp.health.services import parts
from lbftp.health.services.snapshot import Snapshot

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _anew() -> None:
    parts.forget()


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a site that nobody else can read, with enough room."""
    monkeypatch.setattr(settings, "VAR", tmp_path)
    monkeypatch.setattr(settings, "SECRETS_KEY_FILE", tmp_path / "secrets.key")
    monkeypatch.setattr(settings, "MIN_FREE_MB", 0)
    tmp_path.chmod(0o700)
    return tmp_path


def test_alive_without_signing_in(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_not_ready_names_what_is_missing(client: Client, redis_socket: Path, private: Path) -> None:
    answer = client.get("/readyz")
    seen = answer.json()["parts"]
    assert answer.status_code == 503
    assert {name: part["ok"] for name, part in seen.items()} == {
        "database": True, "disk": True, "files": True, "redis": True, "workers": False, "beat": False, "secrets": True,
    }  # fmt: skip
    assert all(part["message"] for part in seen.values())


def test_a_redis_that_is_away_is_named(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "CHANNELS_URL", "unix:///nonexistent/redis.sock?db=2")
    part = client.get("/readyz").json()["parts"]["redis"]
    assert not part["ok"]
    assert "nonexistent" not in part["message"]


def test_the_beats_last_tick(client: Client, redis_socket: Path) -> None:
    sweep(now=timezone.now())
    assert client.get("/readyz").json()["parts"]["beat"]["ok"]
    Pulse.objects.update(at=timezone.now() - timedelta(seconds=settings.BEAT_TICK_SECONDS * 5))
    parts.forget()
    part = client.get("/readyz").json()["parts"]["beat"]
    assert not part["ok"]
    assert "is the beat running" in part["message"]


def test_workers_are_known_by_the_signs_they_leave(client: Client, redis_socket: Path) -> None:
    health.record_sign(name="worker here")
    assert client.get("/readyz").json()["parts"]["workers"]["ok"]
    Pulse.objects.update(at=timezone.now() - timedelta(seconds=60))
    parts.forget()
    part = client.get("/readyz").json()["parts"]["workers"]
    assert not part["ok"]
    assert part["message"].startswith("None has been heard of for 6")


def test_signs_of_hosts_that_are_gone_go_away(client: Client) -> None:
    Pulse.objects.create(name="worker gone", at=timezone.now() - timedelta(days=2))
    health.record_sign(name="worker here")
    assert list(Pulse.objects.values_list("name", flat=True)) == ["worker here"]


def test_a_beat_that_lives_while_nobody_takes_its_ticks(client: Client, redis_socket: Path) -> None:
    Pulse.objects.create(name="tick", at=timezone.now() - timedelta(seconds=600))
    health.record_sign(name="beat")
    part = client.get("/readyz").json()["parts"]["beat"]
    assert (part["ok"], "though the beat is alive" in part["message"]) == (False, True)


def test_ready_with_all_signs(client: Client, redis_socket: Path, private: Path) -> None:
    sweep(now=timezone.now())
    for name in ("worker here", "beat"):
        health.record_sign(name=name)
    answer = client.get("/readyz")
    assert answer.json()["ready"], answer.json()


def test_strangers_make_no_work(client: Client, redis_socket: Path, django_assert_num_queries: Any) -> None:
    client.get("/readyz")
    with django_assert_num_queries(0):
        for _ in range(20):
            client.get("/readyz")


def test_little_room_is_said(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MIN_FREE_MB", 10**9)
    part = client.get("/readyz").json()["parts"]["disk"]
    assert not part["ok"]
    assert "make room" in part["message"]


def test_files_that_others_can_read_are_said(client: Client, private: Path) -> None:
    assert client.get("/readyz").json()["parts"]["files"]["ok"]
    (private / "lbftp.sqlite3").touch()
    (private / "lbftp.sqlite3").chmod(0o644)
    private.chmod(0o755)
    parts.forget()
    part = client.get("/readyz").json()["parts"]["files"]
    assert not part["ok"]
    assert part["message"].startswith("2 files or folders")
    assert [each.id for each in run_checks() if (each.id or "").startswith("lbftp.health")] == ["lbftp.health.W001"]


def test_one_finds_out_for_all_who_ask() -> None:
    asked: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def find() -> str:
        asked.append(1)
        begun.set()
        assert go_on.wait(20)
        return "found"

    snapshot = Snapshot(find)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(snapshot.get) for _ in range(8)]
        assert begun.wait(20)
        go_on.set()
        assert [each.result(20) for each in answers] == ["found"] * 8
    assert len(asked) == 1


FULL = """
export LBFTP_VAR={folder} DJANGO_SETTINGS_MODULE=lbftp.settings
mount -t tmpfs -o size=8m full {folder} || exit 9
cd {root}
{python} manage.py migrate --verbosity 0 || exit 8
{python} - <<'END'
import json
import subprocess
import django
django.setup()
from lbftp.health import services
services.record_sign(name="worker here")
subprocess.run(["dd", "if=/dev/zero", "of={folder}/filler", "bs=1k"], stderr=subprocess.DEVNULL)
print(json.dumps({{part.name: part.message for part in services.readiness() if not part.ok}}))
END
"""


def test_a_full_disk_is_not_ready(tmp_path: Path) -> None:
    """It still answers whoever reads."""
    script = FULL.format(folder=tmp_path, root=ROOT, python=sys.executable)
    environment = {name: value for name, value in os.environ.items() if name != "LBFTP_DATABASE_URL"}
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    wrong = json.loads(done.stdout)
    assert "nothing can be written" in wrong["database"]
    assert "make room" in wrong["disk"]
