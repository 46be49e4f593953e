"""What systemd is told, on real datagram sockets, and the units in the documents by systemd's own judgement."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lbftp.systemd import notify
from ops.places import ROOT, free_port

pytestmark = pytest.mark.timeout(240)


@contextmanager
def listening(name: str = "") -> Iterator[tuple[str, socket.socket]]:
    """A socket as systemd has one; `name` with @ is an abstract one."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
        address = name or f"{folder}/notify"
        own.bind(address.replace("@", "\0", 1))
        own.settimeout(60)
        yield address, own


@pytest.mark.parametrize("name", ["", "@lbftp-test-notify"])
def test_a_message_arrives(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(name) as (address, own):
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        assert notify("READY=1", "STATUS=here")
        assert own.recv(1000) == b"READY=1\nSTATUS=here"


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nonexistent/socket")
    assert not notify("READY=1")


@contextmanager
def told_by(argv: list[str], var: Path, **more: str) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    with listening() as (address, own):
        env = os.environ | {"LBFTP_VAR": str(var), "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "3000000"} | more
        process = subprocess.Popen([sys.executable, *argv], cwd=ROOT, env=env, stderr=subprocess.DEVNULL)
        try:
            yield process, own
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(60)


def test_a_web_server_that_answers_says_so_and_one_that_hangs_does_not(tmp_path: Path) -> None:
    argv = ["-m", "uvicorn", "lbftp.asgi:application", "--port", str(free_port()), "--log-level", "error"]
    with told_by(argv, tmp_path) as (process, own):
        assert own.recv(1000) == b"READY=1"
        assert [own.recv(1000) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        process.send_signal(signal.SIGSTOP)
        assert silent(own)
        process.send_signal(signal.SIGCONT)
        assert own.recv(1000) == b"WATCHDOG=1"


def test_a_beat_says_so_by_itself(tmp_path: Path) -> None:
    """Also while there is no broker."""
    argv = ["-m", "celery", "-A", "lbftp.celery", "beat", "--schedule", str(tmp_path / "schedule"), "--pidfile="]
    with told_by(argv, tmp_path) as (process, own):
        assert [own.recv(1000) for _ in range(4)] == [b"READY=1\nWATCHDOG=1"] * 4
        process.send_signal(signal.SIGSTOP)
        assert silent(own)


def silent(own: socket.socket) -> bool:
    """Whether nothing comes for five seconds, apart from what was on its way."""
    own.settimeout(0.5)
    with_way = time.monotonic() + 5
    try:
        while time.monotonic() < with_way:
            own.recv(1000)
    except TimeoutError:
        own.settimeout(5)
        try:
            own.recv(1000)
        except TimeoutError:
            return True
        finally:
            own.settimeout(60)
    return False


def units() -> list[str]:
    blocks = re.findall(r"(?:^    .*\n|^\n)+", (ROOT / "docs" / "operation.md").read_text(), re.MULTILINE)
    texts = [re.sub(r"(?m)^    ", "", block).strip() + "\n" for block in blocks]
    return [text for text in texts if re.search(r"(?m)^\[Service\]$", text)]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("number", range(2))
def test_the_units_in_the_documents_are_understood(number: int, tmp_path: Path) -> None:
    # What is not on this machine, and is no matter of the unit's form.
    text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", units()[number])
    text = re.sub(r"(?m)^(User|WorkingDirectory|EnvironmentFile)=.*\n", "", text)
    unit = tmp_path / "lbftp.service"
    unit.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    about_ours = [line for line in done.stderr.splitlines() if "lbftp.service" in line]
    assert (done.returncode, about_ours) == (0, []), done.stderr
    assert "WatchdogSec=" in text
