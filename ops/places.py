"""Where one running site keeps its things, and free ports. Sockets need short paths, so they may live elsewhere."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# sockaddr_un(7): 108 bytes. Supervisor makes its socket under a temporary name that is longer than the final one.
SOCKET_PATH_LIMIT = 85
# Below Linux's ephemeral ports, so that no outgoing connection can take one between choosing and listening, and below
# those that the laboratory chooses from at the same time.
FREE_PORTS = range(12000, 20000)


class StackError(RuntimeError):
    """The site cannot be started or stopped; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one site. `run` holds sockets and is private to its owner."""

    var: Path
    run: Path

    @property
    def log(self) -> Path:
        return self.var / "log"

    @property
    def redis_data(self) -> Path:
        return self.var / "redis"

    @property
    def redis_socket(self) -> Path:
        return self.run / "redis.sock"

    @property
    def control_socket(self) -> Path:
        return self.run / "supervisor.sock"

    @property
    def supervisor_config(self) -> Path:
        return self.var / "supervisord.conf"

    @property
    def environment_file(self) -> Path:
        return self.var / "stack.env"

    @property
    def lock(self) -> Path:
        return self.var / "stack.lock"


def places(var: Path) -> Places:
    """The places under `var`, made if need be. A long `var` gets its sockets under /tmp, always in one folder."""
    var = var.resolve()
    run = var / "run"
    if len(str(run / "supervisor.sock")) > SOCKET_PATH_LIMIT:
        name = hashlib.sha256(str(var).encode()).hexdigest()[:16]
        run = Path(tempfile.gettempdir()) / f"lbftp-{os.getuid()}-{name}"
    found = Places(var, run)
    for folder in (found.var, found.log, found.redis_data, found.var / "static"):
        folder.mkdir(parents=True, exist_ok=True)
    _private(found.run)
    return found


def _private(folder: Path) -> None:
    """`folder` exists, is ours alone and is no symbolic link: anybody may make names under /tmp."""
    folder.mkdir(mode=0o700, exist_ok=True)
    seen = folder.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid():
        raise StackError(
            f"{folder} is there and belongs to somebody else: remove it, or set LBFTP_VAR to a shorter path"
        )
    folder.chmod(0o700)


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on now."""
    for port in random.sample(FREE_PORTS, 200):
        if port_is_free(port):
            return port
    raise StackError("no free port between 12000 and 19999: set LBFTP_PORT")


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError:
            return False
    return True
