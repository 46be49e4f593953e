"""Only our own processes are ever ended, ports are really free, and the state file survives interruptions."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import command, ports, processes, report, running
from lab.command import Folders
from lab.state import State
from lab.topology import MACHINES, endpoints


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Folders]:
    """An empty run folder; whatever was started in it is ended afterwards."""
    run = tmp_path / "run"
    run.mkdir()
    yield Folders(run, run)
    running.stop_all(Folders(run, run))


@pytest.fixture
def state() -> State:
    """A remembered laboratory of which nothing runs."""
    return State("/nowhere", "/image", "/snapshot", "tcg", dict.fromkeys(endpoints(), 1))


def test_switches_are_found_by_their_folder_and_ended(folders: Folders) -> None:
    running.start_switches(folders)
    pids = [running.switch_pid(folders, network) for network in command.networks()]
    assert None not in pids
    assert processes.using(folders.base) == sorted(pid for pid in pids if pid)
    assert processes.using(folders.base.parent / "ru") == []
    assert sorted(running.stop_all(folders)) == sorted(pid for pid in pids if pid)
    assert processes.using(folders.base) == []


def test_starting_again_leaves_a_running_switch_alone_and_replaces_a_lost_one(folders: Folders) -> None:
    running.start_switches(folders)
    public, internal = running.switch_pid(folders, "public"), running.switch_pid(folders, "internal")
    assert public is not None
    processes.stop(public)
    running.start_switches(folders)
    assert running.switch_pid(folders, "internal") == internal
    assert running.switch_pid(folders, "public") not in {None, public}


def test_somebody_elses_program_in_our_folder_is_not_ours(folders: Folders) -> None:
    folders.log("r1").write_text("")
    with subprocess.Popen(["tail", "-f", folders.log("r1")], stdout=subprocess.DEVNULL) as tail:
        assert processes.using(folders.base) == []
        running.stop_all(folders)
        assert tail.poll() is None
        tail.kill()


def test_a_reused_process_id_in_a_pid_file_is_not_believed(folders: Folders) -> None:
    folders.pidfile("r1").write_text(str(os.getpid()))
    assert running.machine_pid(folders, "r1") is None


def test_stop_waits_until_the_port_is_free() -> None:
    listener = (
        "import socket, time; server = socket.create_server(('127.0.0.1', 0));"
        "print(server.getsockname()[1], flush=True); time.sleep(60)"
    )
    with subprocess.Popen(["python3", "-c", listener], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        port = int(program.stdout.readline())
        assert not ports.is_free(port)
        processes.stop(program.pid)
        assert ports.is_free(port)


def test_waiting_for_a_process_is_bounded() -> None:
    started = time.monotonic()
    processes.wait_gone(os.getpid(), 0.1)
    assert time.monotonic() - started < 1


def test_ports_are_kept_if_free_and_replaced_if_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = taken.getsockname()[1]
        first = ports.choose(["a", "b", "c"], {})
        assert len(set(first.values())) == 3
        second = ports.choose(["a", "b"], first | {"b": busy})
    assert (second["a"], second["c"]) == (first["a"], first["c"])
    assert second["b"] not in {busy, first["a"], first["c"]}


def test_state_is_read_back_and_nonsense_is_not_believed(tmp_path: Path, state: State) -> None:
    assert State.load(tmp_path) is None
    state.save(tmp_path)
    assert State.load(tmp_path) == state
    for text in ("", "{", "[]", '{"ports": {}}'):
        (tmp_path / "lab.json").write_text(text)
        assert State.load(tmp_path) is None


def test_status_of_a_lab_that_does_not_run(tmp_path: Path, state: State) -> None:
    assert not report.status(tmp_path).ready
    state.save(tmp_path)
    assert report.status(tmp_path) == report.DOWN


def test_lost_processes_are_named_with_their_log(folders: Folders, state: State) -> None:
    state.save(folders.base)
    running.start_switches(folders)
    lost = report.lost_processes(state.running(folders.base))
    assert set(lost) == {machine.name for machine in MACHINES}
    assert str(folders.log("r1")) in lost["r1"]


def test_status_says_when_the_image_is_gone(folders: Folders, state: State) -> None:
    state.save(folders.base)
    running.start_switches(folders)
    assert report.status(folders.base).complaints == [
        "/image is gone; `python -m lab up` makes it again and restarts all"
    ]


def test_socket_paths_stay_below_the_kernels_limit() -> None:
    longest = Path("/" + "x" * 59)
    assert running.short_enough(longest)
    assert len(str(longest / "internal" / ".01234567-00000000")) < 108
    assert not running.short_enough(longest / "y")
