"""SSH into the laboratory's hosts, with the host key pinned and nobody's own configuration."""

from __future__ import annotations

import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.places import LabError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How to reach one host. `keys` is the folder with the lab key and known_hosts."""

    name: str
    port: int
    keys: Path

    def command(self, user: str, command: str | Sequence[str] | None) -> list[str]:
        """The ssh command line; a sequence is quoted word for word, None asks for a shell."""
        words = [] if command is None else [command if isinstance(command, str) else shlex.join(command)]
        options = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "UserKnownHostsFile": str(self.keys / "known_hosts"),
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            "HostKeyAlias": self.name,
            "ConnectTimeout": "20",
            "ServerAliveInterval": "15",
            "LogLevel": "ERROR",
        }
        settings = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        target = ["-i", str(self.keys / "lab"), "-p", str(self.port), f"{user}@127.0.0.1"]
        return ["ssh", "-F", "none", *settings, *target, "--", *words]


def run(
    endpoint: Endpoint,
    command: str | Sequence[str],
    *,
    user: str = "root",
    input: str | None = None,  # noqa: A002 - named as in subprocess.run
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run a command there and return its exit status and output. 255 is ssh's own failure.

    Raises subprocess.TimeoutExpired after `timeout` seconds.
    """
    return subprocess.run(
        endpoint.command(user, command), input=input or "", capture_output=True, text=True, timeout=timeout, check=False
    )


def answers(endpoint: Endpoint, timeout: float = 5) -> bool:
    """Whether an SSH server greets on that port. (QEMU accepts the connection even for a dead guest.)"""
    try:
        with socket.create_connection(("127.0.0.1", endpoint.port), timeout) as connection:
            connection.settimeout(timeout)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def wait(endpoint: Endpoint, patience: float) -> bool:
    """Wait until an SSH server greets; False after `patience` seconds."""
    deadline = time.monotonic() + patience
    while (left := deadline - time.monotonic()) > 0:
        if answers(endpoint, min(left, 10)):
            return True
        time.sleep(0.3)
    return False


def set_clock(endpoint: Endpoint, timeout: float = 60) -> None:
    """Give the machine this computer's time. It asks when it is ready for it, so that signing in costs no accuracy."""
    script = "echo ready; read now; date -u -s @$now > /dev/null"
    command = endpoint.command("root", script)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as ssh:
        limit = threading.Timer(timeout, ssh.kill)
        limit.start()
        asked = ssh.stdout.readline() if ssh.stdout else ""
        said = ssh.communicate(f"{time.time():.3f}\n" if asked else None)[1]
        limit.cancel()
    if ssh.returncode != 0:
        raise LabError(f"{endpoint.name}: the clock could not be set (status {ssh.returncode}): {said.strip()}")
