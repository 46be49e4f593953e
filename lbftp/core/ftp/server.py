"""What a daemon's configuration comes to, whichever daemon it is, and what readers of numbers have
in common.

A reader takes any text, and raises ObserveError where the daemon would refuse to start or the
meaning cannot be told. Where a manual page is silent, the rule was measured (vsftpd 3.0.3, ProFTPD
1.3.8, Pure-FTPd 1.0.50; tests/daemons).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from lbftp.core.observe.errors import ObserveError
from lbftp.core.spec import FAMILIES, Family

Ports = tuple[int, int]

# A longer number is no port and no time; Python refuses to read thousands of digits.
_DIGITS: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class FtpServer:
    """How one FTP server behaves. `daemon` names what it is one of (`ftp.daemons`); `name` tells
    virtual hosts of one process apart, '' is the main server.

    `passive` are the ports of passive connections, None for any that the system gives.
    `pasv_address` is the address or host name that it tells clients, '' for the one they came to.
    `data_port` is where active connections come from, 0 for any port. `idle_timeout` is in seconds,
    0 for never. `included` are files that were named and not read.

    `tls`: it takes TLS, by AUTH TLS, or with `implicit` from the first byte; `tls_required`: it
    refuses plain sessions; `tls_reuse`: a data connection has to resume the control connection's
    TLS session. `certificate` is the file it takes its certificate from, '' if none is named.
    `families` are the IP versions that it serves, `bound` the one address that it listens at, ''
    for any.
    """

    daemon: str
    passive: Ports | None
    idle_timeout: int
    name: str = ""
    control_port: int = 21
    pasv_address: str = ""
    data_port: int = 20
    passive_on: bool = True
    active_on: bool = True
    tls: bool = False
    implicit: bool = False
    tls_required: bool = False
    tls_reuse: bool = False
    certificate: str = ""
    families: tuple[Family, ...] = FAMILIES
    bound: str = ""
    included: tuple[str, ...] = ()


def ports(name: str, words: list[str]) -> Ports:
    """The range that an option's two words name. Raises ObserveError."""
    if len(words) != 2:
        raise ObserveError(name, f"{' '.join(words)[:40]!r} is not two ports")
    low, high = (port_number(name, word) for word in words)
    if low > high:
        raise ObserveError(name, f"{low}-{high} is reversed")
    return low, high


def port_number(name: str, value: str) -> int:
    """A port from digits; 0 is one too. Raises ObserveError."""
    port = number(name, "port", value)
    if port > 65535:
        raise ObserveError(name, f"{port} is no port")
    return port


def number(part: str, name: str, value: str) -> int:
    """A whole number from digits. Raises ObserveError, which names the option."""
    if not _DIGITS.fullmatch(value):
        raise ObserveError(part, f"{name}: {value[:40]!r} is not a number")
    return int(value)
