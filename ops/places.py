"""Where one running site keeps its things, and free ports. Sockets need short paths, so they may live elsewhere."""

from __future__ import annotations

import hashlib
import os
import pwd
import random
import socket
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# sockaddr_un(7): 108 bytes. Supervisor makes its socket under a temporary name that is longer than the final one.
SOCKET_PATH_LIMIT = 85
# Below Linux's ephemeral ports, so that no outgoing connection can take one between choosing and listening, and below
# those that the laboratory chooses from at the same time.
FREE_PORTS = range(12000, 20000)


_OTHERS = stat.S_IRWXG | stat.S_IRWXO


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
    def alive(self) -> Path:
        """Signs of life: what the watchdog looks at, and what it did."""
        return self.var / "alive"

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
    var.parent.mkdir(parents=True, exist_ok=True)
    for folder in (found.var, found.log, found.redis_data, found.alive, found.run):
        _private(folder)
    return found


def close_to_others(place: Places) -> list[Path]:
    """Takes from group and others whatever they may do with what a site keeps; returns what had to be changed.

    An earlier version left the database, logs and settings readable. Raises StackError if somebody else owns a file:
    who that is may read it whatever its mode.
    """
    changed = []
    for path in _kept(place):
        seen = path.lstat()
        if stat.S_ISLNK(seen.st_mode):
            continue
        _refuse_foreign(path, seen)
        if seen.st_mode & _OTHERS:
            path.chmod(stat.S_IMODE(seen.st_mode) & ~_OTHERS)
            changed.append(path)
    return changed


def _kept(place: Places) -> Iterator[Path]:
    """What lies directly in the site's folders. Others' folders there (a laboratory, tests) are their own business."""
    for folder in (place.var, place.log, place.redis_data, place.run, place.alive):
        yield folder
        yield from (path for path in folder.iterdir() if path.is_symlink() or not path.is_dir())
    # What Redis keeps lies one deeper.
    yield from place.redis_data.rglob("*")


def _private(folder: Path) -> None:
    """`folder` exists, is ours alone and is no symbolic link: anybody may make names under /tmp."""
    folder.mkdir(mode=0o700, exist_ok=True)
    seen = folder.lstat()
    if not stat.S_ISDIR(seen.st_mode):
        raise StackError(f"{folder} is there and is no folder: remove it, or set LBFTP_VAR to another path")
    _refuse_foreign(folder, seen)
    folder.chmod(0o700)


def _refuse_foreign(path: Path, seen: os.stat_result) -> None:
    if seen.st_uid == os.geteuid():
        return
    try:
        owner = pwd.getpwuid(seen.st_uid).pw_name
    except KeyError:
        owner = f"user {seen.st_uid}"
    us = pwd.getpwuid(os.geteuid()).pw_name
    raise StackError(
        f"{path} belongs to {owner}, who could read what this site keeps, and the site runs as {us}: "
        f"chown -R {us} it if it is yours, or set LBFTP_VAR to another folder"
    )


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
