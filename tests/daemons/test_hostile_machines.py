"""Machines that print without an end, or answer with anything: real SSH servers on the loopback, and what only looks
like one. Each is refused with its reason, in bounded memory and time, and its program does not go on."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko
import pytest

from lbftp.core.job import Access
from ops.bench.sshd import Target, private_sshd
from tests.daemons import asking
from workers import here
from workers.errors import ConnectionLost, TooMuch, Unreachable
from workers.remote import Limits, connect

ROOT = Path(__file__).parents[2]
# An answer of 32 MiB is kept twice for a moment; Python, Django's absence and paramiko are counted off.
MOST_MEMORY = 160 * 1024
CANARY = "lbftp-endless-canary"


def access(target: Target) -> Access:
    return Access("r1", "127.0.0.1", target.port, target.user, target.host_key, key=Path(target.key).read_text())


def asked(target: Target) -> dict[str, Any]:
    """What a process of its own comes to that asks this machine, and its memory (see asking.py)."""
    told = json.dumps({"port": target.port, "user": target.user, "key": target.key, "host_key": target.host_key})
    argv = [sys.executable, "-m", asking.__name__, told]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=110, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


ENDLESS = {
    "lines": (f"exec yes {CANARY}", "more than 32 MiB in one answer"),
    "complaints": (f"exec yes {CANARY} >&2", "more than 1 MiB of error messages"),
    "one line": (f"exec sh -c 'while :; do printf %65536s {CANARY}; done'", "a line of more than 1 MiB"),
}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("case", ENDLESS)
def test_an_answer_without_an_end_is_refused_in_bounded_memory(tmp_path: Path, case: str) -> None:
    command, words = ENDLESS[case]
    with private_sshd(tmp_path / "d", {"ForceCommand": command}) as target:
        found = asked(target)
        assert found["kind"] == "TooMuch"
        assert found["text"].startswith("r1: ")
        assert words in found["text"]
        assert "Log in there and see" in found["text"]
        assert found["grown"] < MOST_MEMORY
        _wait_for_the_end_of(CANARY)


def _wait_for_the_end_of(word: str) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        going_on = [p for p in Path("/proc").glob("[0-9]*") if word in _command(p)]
        if not going_on:
            return
        time.sleep(0.2)
    raise AssertionError(f"the remote command still runs: {going_on}")


def _command(process: Path) -> str:
    try:
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    return " ".join(words) if words[0].endswith(("yes", "sh")) else ""


def test_a_line_in_many_pieces_is_put_together_once() -> None:
    """A few bytes at a time: work that grew with the square of a line's length would not end."""
    lines: list[str] = []
    text = "import os\nfor n in range(100000): os.write(1, b'xxxxxxxxxx')\n"
    answer = here.run(text, seconds=60, on_line=lines.append)
    assert answer.code == 0
    assert [len(line) for line in lines] == [1_000_000]


def test_the_worker_s_own_probe_is_bounded_likewise() -> None:
    for text in ("import sys\nwhile True: print('x' * 60)", "import sys\nwhile True: print('x' * 60, file=sys.stderr)"):
        with pytest.raises(TooMuch, match="the worker: it sent"):
            here.run(text, seconds=60, on_line=lambda _: None)


@contextmanager
def answering(say: Any) -> Iterator[int]:
    """A port of the loopback where `say` has each connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=_say, args=(say, connection), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def _say(say: Any, connection: socket.socket) -> None:
    with connection:
        try:
            say(connection)
        except (OSError, EOFError, paramiko.SSHException):
            return


def _greets_without_end(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"x" * 65536)


def _greets_slowly(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"x" * 64)
        time.sleep(0.01)


def _sends_a_gigabyte_packet(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" + (0x40000004).to_bytes(4, "big"))
    while True:
        connection.sendall(b"\0" * 65536)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("say", [_greets_without_end, _greets_slowly, _sends_a_gigabyte_packet])
def test_what_only_looks_like_an_ssh_server_is_refused_in_bounded_memory(say: Any, tmp_path: Path) -> None:
    with private_sshd(tmp_path / "d") as real, answering(say) as port:
        found = asked(Target(port, real.user, real.key, real.known_hosts, real.host_key))
    assert found["kind"] == "Unreachable"
    assert "no SSH connection to 127.0.0.1" in found["text"]
    assert say is _greets_slowly or "it is no SSH server" in found["text"]
    assert found["grown"] < 40 * 1024


class Silent(paramiko.ServerInterface):  # type: ignore[misc] # paramiko is not annotated
    """Lets anybody in, and does not answer what is asked then."""

    def __init__(self, over: threading.Event) -> None:
        self.over = over

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:  # noqa: ARG002
        return paramiko.AUTH_SUCCESSFUL  # type: ignore[no-any-return]

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        return paramiko.OPEN_SUCCEEDED  # type: ignore[no-any-return]

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:  # noqa: ARG002
        self.over.wait(60)
        return False


@pytest.mark.timeout(60)
def test_a_server_that_never_answers_a_command_is_not_waited_for(tmp_path: Path) -> None:
    over = threading.Event()

    def say(connection: socket.socket) -> None:
        transport = paramiko.Transport(connection)
        transport.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(tmp_path / "d" / "host")))
        transport.start_server(server=Silent(over))
        over.wait(60)
        transport.close()

    with private_sshd(tmp_path / "d") as real, answering(say) as port:
        target = Target(port, real.user, real.key, real.known_hosts, real.host_key)
        began = time.monotonic()
        with connect(access(target), Limits(connect=2)) as remote, pytest.raises(ConnectionLost, match="r1: "):
            remote.run("echo x\n")
        assert time.monotonic() - began < 30
    over.set()


def test_a_port_where_nobody_speaks_ssh_says_so_in_few_words(tmp_path: Path) -> None:
    with private_sshd(tmp_path / "d") as real, answering(lambda c: c.sendall(b"\x1b[31m" * 5000 + b"\r\n")) as port:
        target = Target(port, real.user, real.key, real.known_hosts, real.host_key)
        with pytest.raises(Unreachable) as raised:
            connect(access(target), Limits(connect=2)).__enter__()
    assert len(str(raised.value)) < 700
