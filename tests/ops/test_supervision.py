"""The configuration that supervisor and Redis get."""

from __future__ import annotations

import configparser
import shlex
from pathlib import Path

from ops.places import Places
from ops.supervision import Shape, programs, redis_config, supervisor_config

PLACE = Places(Path("/srv/a b/100%/var"), Path("/srv/a b/100%/var/run"))
SHAPE = Shape("127.0.0.1", 8000, 4, "/usr/bin/valkey-server")


def _sections() -> configparser.RawConfigParser:
    parsed = configparser.RawConfigParser()
    parsed.read_string(supervisor_config(PLACE, programs(PLACE, SHAPE)))
    return parsed


def test_every_program_restarts_and_dies_with_supervisor() -> None:
    sections = [name for name in _sections().sections() if name.startswith("program:")]
    names = ("redis", "web", "worker", "beat", "watchdog")
    assert sections == [f"program:{name}" for name in names]
    for name in sections:
        values = _sections()[name]
        assert values["autorestart"] == "true"
        assert shlex.split(values["command"])[:2] == ["setpriv", "--pdeathsig"]


def test_blanks_and_percent_signs_in_paths_survive() -> None:
    command = _sections()["program:redis"]["command"]
    assert "100%%" in command
    assert shlex.split(command.replace("%%", "%"))[-1] == "/srv/a b/100%/var/redis.conf"


def test_redis_has_no_port_and_keeps_every_task() -> None:
    lines = redis_config(PLACE).splitlines()
    assert "port 0" in lines
    assert "appendonly yes" in lines
    assert "maxmemory-policy noeviction" in lines
    assert "unixsocketperm 700" in lines
