"""The list of FTP daemons. A further one is a folder beside the others, and a line here."""

from __future__ import annotations

from typing import Final

from lbftp.core.ftp import proftpd, pure_ftpd, vsftpd
from lbftp.core.ftp.daemon import Daemon

DAEMONS: Final[list[Daemon]] = [
    vsftpd.DAEMON,
    proftpd.DAEMON,
    pure_ftpd.DAEMON,
]


def names() -> tuple[str, ...]:
    """In the order in which pages show them."""
    return tuple(daemon.name for daemon in DAEMONS)


def named(name: str) -> Daemon:
    """KeyError for a daemon that is not known."""
    for daemon in DAEMONS:
        if daemon.name == name:
            return daemon
    raise KeyError(name)


def title(name: str) -> str:
    """How people write the daemon `name`."""
    return named(name).title
