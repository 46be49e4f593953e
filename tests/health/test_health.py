from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from lbftp.changes.services.sweep import sweep
from lbftp.health.models import Pulse

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]


def test_alive_without_signing_in(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_not_ready_names_what_is_missing(client: Client, redis_socket: Path) -> None:
    answer = client.get("/readyz")
    parts = answer.json()["parts"]
    assert answer.status_code == 503
    assert {name: part["ok"] for name, part in parts.items()} == {
        "database": True, "redis": True, "workers": False, "beat": False,
    }  # fmt: skip
    assert all(part["message"] for part in parts.values())


def test_a_redis_that_is_away_is_named(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "CHANNELS_URL", "unix:///nonexistent/redis.sock?db=2")
    part = client.get("/readyz").json()["parts"]["redis"]
    assert not part["ok"]
    assert "nonexistent" not in part["message"]


def test_the_beats_last_tick(client: Client, redis_socket: Path) -> None:
    sweep(now=timezone.now())
    assert client.get("/readyz").json()["parts"]["beat"]["ok"]
    Pulse.objects.update(at=timezone.now() - timedelta(seconds=settings.BEAT_TICK_SECONDS * 5))
    part = client.get("/readyz").json()["parts"]["beat"]
    assert not part["ok"]
    assert "is the beat running" in part["message"]


@pytest.fixture
def worker(redis_socket: Path, tmp_path: Path) -> Iterator[None]:
    """A real worker process on this session's Redis."""
    words = [
        "-m",
        "celery",
        "-A",
        "lbftp.celery",
        "worker",
        "--pool",
        "solo",
        "--without-gossip",
        "--loglevel",
        "ERROR",
    ]
    environment = {**os.environ, "LBFTP_REDIS_SOCKET": str(redis_socket), "LBFTP_VAR": str(tmp_path)}
    process = subprocess.Popen([sys.executable, *words], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    yield
    process.terminate()
    process.wait(30)


def test_ready_with_a_worker_and_a_tick(client: Client, worker: None) -> None:
    sweep(now=timezone.now())
    until = time.monotonic() + 60
    while (answer := client.get("/readyz")).status_code != 200 and time.monotonic() < until:
        sweep(now=timezone.now())
    assert answer.json()["ready"], answer.json()
