"""A database that does not answer: who waits for a run goes on waiting, who asks for something is told what to look at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from lbftp.changes.models import Run
from lbftp.cli import follow
from ops.places import ROOT, free_port
from tests.cli.test_cli import applies, cli, threaded, working
from tests.worlds import World, applied

pytestmark = pytest.mark.django_db


@threaded
def test_whoever_waits_for_a_run_goes_on_waiting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    applied(world)
    real, away = Run.refresh_from_db, ["connection refused", "the connection is closed"]

    def now_and_then(run: Run, **values: Any) -> None:
        if away:
            raise OperationalError(away.pop())
        real(run, **values)

    monkeypatch.setattr(follow, "_AWAY_FOR", 0.1)
    monkeypatch.setattr(Run, "refresh_from_db", now_and_then)
    with working(applies):
        answer = cli("verify", "web", "--user", "bob")
    assert (answer.status, away) == (0, [])
    assert answer.out.count("The database does not answer; asking again.") == 2
    assert "== succeeded: " in answer.out


def test_whoever_asks_is_told_what_to_look_at(tmp_path: Path) -> None:
    """A process of its own, with an address where nobody listens."""
    where = f"postgres://lbftp:a-secret@127.0.0.1:{free_port()}/lbftp"
    env = {"PATH": "/usr/bin:/bin", "LBFTP_VAR": str(tmp_path), "LBFTP_DATABASE_URL": where}
    argv = [sys.executable, "manage.py", "lbftp", "status"]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("failed: The database does not answer")
    assert "LBFTP_DATABASE_URL" in done.stderr
    assert "a-secret" not in done.stderr
    assert "Traceback" not in done.stderr
