"""Folders, sockets and ports of a site."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from ops.places import FREE_PORTS, SOCKET_PATH_LIMIT, StackError, free_port, places, port_is_free


def test_sockets_live_under_var(tmp_path: Path) -> None:
    short = Path("/tmp") / f"lbftp-test-{tmp_path.parent.name[-8:]}"
    place = places(short)
    try:
        assert place.run == short / "run"
        assert stat.S_IMODE(place.run.stat().st_mode) == 0o700
    finally:
        for folder in (place.run, place.log, place.redis_data, place.alive, short):
            folder.rmdir()


def test_a_long_var_gets_its_sockets_elsewhere_and_always_in_the_same_folder(tmp_path: Path) -> None:
    long = tmp_path / ("v" * 120)
    place = places(long)
    try:
        assert len(str(place.control_socket)) <= SOCKET_PATH_LIMIT
        assert place.run == places(long).run
        assert place.run != places(tmp_path / ("w" * 120)).run
        assert stat.S_IMODE(place.run.stat().st_mode) == 0o700
    finally:
        place.run.rmdir()
        places(tmp_path / ("w" * 120)).run.rmdir()


def test_somebody_elses_name_in_place_of_the_socket_folder_is_refused(tmp_path: Path) -> None:
    var = tmp_path / ("x" * 120)
    run = places(var).run
    run.rmdir()
    run.symlink_to(tmp_path)
    try:
        with pytest.raises((StackError, FileExistsError)):
            places(var)
    finally:
        run.unlink()


def test_a_taken_port_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not port_is_free(server.getsockname()[1])
    assert free_port() in FREE_PORTS
