"""What a site keeps is its account's alone: real modes after a real start, also of what an earlier version left open."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ops import stack as stacks
from ops.places import ROOT, StackError, close_to_others, places
from ops.readiness import ask
from ops.stack import Options

pytestmark = pytest.mark.timeout(240)
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def open_ones(folder: Path) -> list[str]:
    """What others may do anything with, links aside."""
    found = [folder, *folder.rglob("*")]
    return [str(path) for path in found if not path.is_symlink() and path.lstat().st_mode & OTHERS]


def test_an_open_installation_is_closed_by_the_next_start_and_stays_closed(tmp_path: Path) -> None:
    var = tmp_path / "var"
    old = os.umask(0o022)
    try:
        for folder in (var, var / "log", var / "redis", var / "redis" / "appendonlydir"):
            folder.mkdir()
        for name in ("stack.env", "log/web.log", "redis/appendonlydir/old.aof", "beat-schedule.bak"):
            (var / name).write_text("")
        assert len(open_ones(var)) == 8
        with stacks.start(var, None, Options(extra={"LBFTP_BEAT_TICK_SECONDS": "1"})) as site:
            argv = [sys.executable, "manage.py", "lbftp", "status"]
            subprocess.run(argv, cwd=ROOT, env=site.env, check=True, capture_output=True)
            (var / "log" / "made-by-hand").touch()
            assert open_ones(var) == []
            for name in ("lbftp.sqlite3", "secret_key", "stack.env", "log/web.log", "redis.conf"):
                assert (var / name).exists(), name
            assert json.loads(ask(f"{site.base_url}/readyz", 15)[1])["parts"]["files"]["ok"]
    finally:
        os.umask(old)


def test_what_belongs_to_somebody_else_is_said(tmp_path: Path) -> None:
    place = places(tmp_path / "var")
    (place.var / "stack.env").touch()
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(place.var / "stack.env", 12345, 12345)
    with pytest.raises(StackError, match=r"stack\.env belongs to user 12345"):
        close_to_others(place)


def test_a_link_is_left_alone(tmp_path: Path) -> None:
    place = places(tmp_path / "var")
    target = tmp_path / "elsewhere"
    target.touch()
    target.chmod(0o644)
    (place.log / "web.log").symlink_to(target)
    close_to_others(place)
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
