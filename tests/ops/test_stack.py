"""A whole site, really started: it answers, comes back after kills, leaves nothing behind, and lets others be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops import processes
from ops import stack as stacks
from ops.places import ROOT, StackError, free_port
from ops.readiness import ask
from ops.stack import Options, Stack

pytestmark = pytest.mark.timeout(240)
# The first tick makes a site ready.
QUICK = Options(extra={"LBFTP_BEAT_TICK_SECONDS": "1"})


def start(var: Path, port: int | None = None) -> Stack:
    return stacks.start(var, port, QUICK)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with start(tmp_path_factory.mktemp("site")) as running:
        yield running


def until(condition: Callable[[], object], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def pid_of(stack: Stack, program: str) -> int:
    """0 while it does not run."""
    said = stack.control("pid", program).strip()
    return int(said) if said.isdigit() else 0


def ready(stack: Stack) -> bool:
    return ask(f"{stack.base_url}/readyz")[0] == 200


def test_it_answers_and_all_programs_run(stack: Stack) -> None:
    assert ask(f"{stack.base_url}/healthz")[0] == 200
    assert ready(stack)
    lines = stack.control("status").splitlines()
    assert [line.split()[:2] for line in lines] == [
        [name, "RUNNING"] for name in ("beat", "redis", "watchdog", "web", "worker")
    ]


def test_redis_has_a_private_socket_and_no_port(stack: Stack) -> None:
    assert stack.place.redis_socket.is_socket()
    assert stack.place.redis_socket.stat().st_mode & 0o077 == 0
    listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    assert f"pid={pid_of(stack, 'redis')}," not in listening


@pytest.mark.parametrize("program", ["worker", "web", "redis", "beat"])
def test_a_killed_program_comes_back(stack: Stack, program: str) -> None:
    before = pid_of(stack, program)
    os.kill(before, signal.SIGKILL)
    assert until(lambda: pid_of(stack, program) not in (0, before))
    assert until(lambda: ready(stack))


def test_the_same_folder_is_not_started_twice(stack: Stack) -> None:
    with pytest.raises(StackError, match=r"runs in .* already"):
        start(stack.place.var)


def test_a_taken_port_is_said(stack: Stack, tmp_path: Path) -> None:
    with pytest.raises(StackError, match="is taken: set LBFTP_PORT"):
        start(tmp_path, int(stack.base_url.rsplit(":", 1)[1]))


def test_two_sites_side_by_side_and_nothing_left_of_the_one_that_stops(stack: Stack, tmp_path: Path) -> None:
    with start(tmp_path) as other:
        assert other.base_url != stack.base_url
        assert ready(other)
    assert processes.marked(str(tmp_path)) == []
    assert not other.place.redis_socket.exists()
    assert ready(stack)


KEEPER = """
import sys, time
from pathlib import Path
from ops.stack import Options, start
stack = start(Path(sys.argv[1]), None, Options(extra={"LBFTP_BEAT_TICK_SECONDS": "1"}))
print(stack.base_url, flush=True)
time.sleep(600)
"""


def test_a_killed_starter_takes_everything_along_and_the_next_start_works(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as keeper:
        assert keeper.stdout is not None
        assert keeper.stdout.readline().startswith("http://")
        keeper.kill()
    with start(tmp_path) as again:
        assert ready(again)
    assert processes.marked(str(tmp_path)) == []


def test_killing_supervisor_leaves_no_orphans(tmp_path: Path) -> None:
    stack = start(tmp_path)
    try:
        os.kill(stack.supervisor_pid, signal.SIGKILL)
        assert until(lambda: processes.marked(str(tmp_path)) == [])
    finally:
        stack.stop()


def test_run_ends_cleanly_when_interrupted(tmp_path: Path) -> None:
    env = os.environ | QUICK.extra | {"LBFTP_VAR": str(tmp_path), "LBFTP_PORT": ""}
    argv = [sys.executable, "-m", "ops.stack", "run"]
    with subprocess.Popen(argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert "lbftp serves at http://127.0.0.1:" in run.stdout.readline()
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 0
    assert processes.marked(str(tmp_path)) == []


def test_a_database_that_does_not_answer_ends_the_start_with_its_own_words(tmp_path: Path) -> None:
    where = f"postgres://lbftp:a-secret@127.0.0.1:{free_port()}/lbftp"
    with pytest.raises(StackError, match="Connection refused") as told:
        stacks.start(tmp_path, None, Options(extra={"LBFTP_DATABASE_URL": where}))
    assert "Traceback" not in str(told.value)
    assert "a-secret" not in str(told.value)
    assert "Traceback" in (tmp_path / "log" / "migrate.log").read_text()
    assert processes.marked(str(tmp_path)) == []
