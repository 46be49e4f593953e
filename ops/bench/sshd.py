"""A private SSH server on loopback with keys of its own, standing in for many routers."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ops.places import StackError, free_port


@dataclass(frozen=True, slots=True)
class Target:
    """How to log in. `key` and `known_hosts` are files, `host_key` is the pinned line."""

    port: int
    user: str
    key: str
    known_hosts: str
    host_key: str


@contextmanager
def private_sshd(folder: Path, options: Mapping[str, str] | None = None) -> Iterator[Target]:
    """The server while inside, with these lines of sshd_config(5) changed. Raises StackError if there is none."""
    program = shutil.which("sshd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    if program is None:
        raise StackError("sshd is missing: apt-get install openssh-server")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    target = _prepare(folder, options or {})
    argv = ["setpriv", "--pdeathsig", "TERM", "--", program, "-D", "-e", "-f", str(folder / "sshd_config")]
    with (folder / "sshd.log").open("wb") as log:
        server = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait(server, target.port, folder / "sshd.log")
        yield target
    finally:
        server.terminate()
        server.wait(10)


def _prepare(folder: Path, options: Mapping[str, str]) -> Target:
    for name in ("host", "client"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)], check=True
        )
    shutil.copy(folder / "client.pub", folder / "authorized_keys")
    host_key = " ".join((folder / "host.pub").read_text().split()[:2])
    port = free_port()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
    (folder / "sshd_config").write_text(_config(folder, port, options))
    if os.geteuid() == 0:
        # Where sshd locks itself in before the login; Debian makes it when the service starts.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    return Target(port, getpass.getuser(), str(folder / "client"), str(folder / "known_hosts"), host_key)


def _config(folder: Path, port: int, options: Mapping[str, str]) -> str:
    lines = {
        "ListenAddress": "127.0.0.1",
        "Port": str(port),
        "HostKey": str(folder / "host"),
        "AuthorizedKeysFile": str(folder / "authorized_keys"),
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        # All routers come at the same moment.
        "MaxStartups": "500",
        "MaxSessions": "100",
        "LogLevel": "ERROR",
        **options,
    }
    return "".join(f"{name} {value}\n" for name, value in lines.items())


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise StackError(f"sshd does not start: {log.read_text()[-500:]}")
