"""QEMU's monitor: a machine that goes away in the middle is an error with a name, not a broken pipe."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest

from lab.places import LabError, SnapshotBrokenError
from lab.qmp import Monitor


def monitor_that_says(path: Path, *answers: object) -> None:
    """Serve one connection at the path: greet, give one answer per command, then hang up."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        connection, _ = server.accept()
        with server, connection, connection.makefile("rw") as lines:
            lines.write(json.dumps({"QMP": {}}) + "\n")
            for answer in ({"return": {}}, *answers):
                lines.flush()
                lines.readline()
                lines.write(json.dumps(answer) + "\n")

    threading.Thread(target=serve, daemon=True).start()


def test_a_loaded_machine_is_let_run_on(tmp_path: Path) -> None:
    monitor_that_says(tmp_path / "m", {"return": {}}, {"return": {"status": "completed"}}, {"return": {}})
    with Monitor(tmp_path / "m") as monitor:
        monitor.load_from("cat state")


def test_a_machine_that_dies_of_its_snapshot_says_so(tmp_path: Path) -> None:
    monitor_that_says(tmp_path / "m", {"return": {}})
    with pytest.raises(SnapshotBrokenError, match="m: "), Monitor(tmp_path / "m") as monitor:
        monitor.load_from("cat state")


def test_a_snapshot_that_does_not_load_is_broken(tmp_path: Path) -> None:
    monitor_that_says(tmp_path / "m", {"return": {}}, {"return": {"status": "failed"}})
    with pytest.raises(SnapshotBrokenError), Monitor(tmp_path / "m") as monitor:
        monitor.load_from("cat state")


def test_refused_command_tells_why(tmp_path: Path) -> None:
    monitor_that_says(tmp_path / "m", {"error": {"desc": "no such thing"}})
    with pytest.raises(LabError, match="no such thing"), Monitor(tmp_path / "m") as monitor:
        monitor.call("nonsense")


def test_nobody_there_is_an_error_in_bounded_time(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="m: "):
        Monitor(tmp_path / "m", timeout=0.2)
