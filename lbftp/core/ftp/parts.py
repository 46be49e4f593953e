"""What the lines for every FTP daemon have in common: files, placeholders, and what a cluster
asks of a daemon.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lbftp.core.observe.observed import Platform
from lbftp.core.promise import data_port
from lbftp.core.spec import ClusterSpec, cluster_name

HEADER: Final = (
    "# These lines come from lbftp: what the LVS routers need.",
    "# Cluster: {name} (on the command line: manage.py lbftp status {name})",
)
# vsftpd.conf(5): idle_session_timeout and data_connection_timeout are 300 s by default.
FTP_IDLE_TIMEOUT: Final = 300

# Words that an administrator replaces: lbftp knows no path on the FTP servers. `unfilled` finds
# them left in a file.
CERTIFICATE: Final = "/PATH/TO/CERTIFICATE.pem"
KEY: Final = "/PATH/TO/KEY.pem"
OWN_ADDRESS6: Final = "THIS-SERVERS-OWN-IPV6-ADDRESS"
_FILL: Final = f"{CERTIFICATE} and {KEY} stand for the files with the server's certificate and its key."

REUSE: Final = (
    "# By default a data connection has to resume the control connection's TLS session. Transfers of clients that do",
    "# not resume it fail. Leave this out if all of yours do: it keeps strangers off their data connections.",
)


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """Lines for one file of an FTP server. `place` says where in a file they go, '' if they are
    the whole file.
    """

    path: str
    lines: tuple[str, ...]
    place: str = ""

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


@dataclass(frozen=True, slots=True)
class Snippet:
    """What one daemon on one family of systems needs.

    `absent` are options that must not be there; `commands` put the files into effect; `check` is a
    command that judges them, '' where the daemon has none. `notes` are sentences on what has to be
    filled in or installed. `cannot` is what of the cluster's promise this daemon does not keep, a
    sentence each.
    """

    daemon: str
    platform: Platform
    files: tuple[ConfigFile, ...]
    absent: tuple[str, ...]
    commands: tuple[str, ...]
    check: str
    notes: tuple[str, ...] = ()
    cannot: tuple[str, ...] = ()


def header(spec: ClusterSpec) -> tuple[str, str]:
    """The first lines of every text."""
    return HEADER[0], HEADER[1].format(name=cluster_name(spec.name))


def idle_timeout(spec: ClusterSpec) -> int:
    """Seconds after which a server should end a quiet session: before the routers forget where
    the client belongs.
    """
    return min(FTP_IDLE_TIMEOUT, spec.persistence_timeout or FTP_IDLE_TIMEOUT)


def served_ports(spec: ClusterSpec) -> tuple[int, ...]:
    """The ports that a daemon has to listen at, the main one first. The helper cannot carry
    implicit TLS.
    """
    ports = spec.ports if spec.mode == "advertise" else spec.control_ports
    return tuple(sorted(ports, key=lambda port: (port != spec.control_port, port)))


def explicit(spec: ClusterSpec) -> bool:
    """Whether the control ports have to take AUTH TLS; through the helper TLS is of no use."""
    return spec.mode == "advertise" and spec.tls


def encrypted(spec: ClusterSpec) -> bool:
    """Whether any port needs a certificate."""
    return spec.mode == "advertise" and (spec.tls or bool(spec.implicit_ports))


def names_vip(spec: ClusterSpec) -> bool:
    """Whether PASV has to be told the VIP: with NAT clients come to the server's own address, which
    is all it knows.

    With direct routing and tunnelling they come to the VIP itself. EPSV names no address, so IPv6
    needs nothing.
    """
    return spec.mode == "advertise" and spec.nat and spec.vip is not None


def active_from(spec: ClusterSpec, port: int) -> int:
    """The port that active connections of a control port come from, 0 if there is none to ask
    for.
    """
    return data_port(port) if spec.active != "none" and port > 1 else 0


def filled(spec: ClusterSpec) -> tuple[str, ...]:
    return (_FILL,) if encrypted(spec) else ()


def unfilled(value: str) -> bool:
    """Whether a value still is what a person should have replaced."""
    return value in {CERTIFICATE, KEY, OWN_ADDRESS6}
