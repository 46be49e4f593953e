"""What has to be on each FTP server of a cluster: lines for an administrator to copy, per daemon and family.

The guide: passive ports equal to the routers' range, and no address of the server's own choosing, because the helper
takes the one that the server names for the server itself. Active connections must come from port 20, the only one that
the routers let out. Sources: vsftpd.conf(5), ProFTPD's mod_core, mod_auth and mod_tls, pure-ftpd(8) and
pure-ftpd-wrapper(8); what they leave open was measured with 3.0.3, 1.3.8 and 1.0.50 (tests/daemons).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from lbftp.core.lint import FTP_IDLE_TIMEOUT
from lbftp.core.observe.ftpd import Daemon
from lbftp.core.observe.observed import Platform
from lbftp.core.spec import ClusterSpec, SpecError, cluster_name

DAEMONS: Final[tuple[Daemon, ...]] = ("vsftpd", "proftpd", "pure-ftpd")
TITLES: Final[dict[Daemon, str]] = {"vsftpd": "vsftpd", "proftpd": "ProFTPD", "pure-ftpd": "Pure-FTPd"}
HEADER: Final = (
    "# These lines come from lbftp, which never writes here: what the LVS routers need.",
    "# Cluster: {name} (on the command line: manage.py lbftp status {name})",
)

# One file for one option, as Debian's pure-ftpd-wrapper(8) reads them.
PURE_FTPD_FOLDER: Final = "/etc/pure-ftpd/conf"

_PATHS: Final[dict[tuple[Daemon, Platform], str]] = {
    ("vsftpd", "debian"): "/etc/vsftpd.conf",
    ("vsftpd", "redhat"): "/etc/vsftpd/vsftpd.conf",
    ("proftpd", "debian"): "/etc/proftpd/proftpd.conf",
    ("proftpd", "redhat"): "/etc/proftpd.conf",
    ("pure-ftpd", "redhat"): "/etc/pure-ftpd/pure-ftpd.conf",
}
_PLACES: Final[dict[Daemon, str]] = {
    "vsftpd": "At the end of the file: of two lines for one option the last counts.",
    "proftpd": "At the top of the file: of two lines for one directive the first counts.",
    "pure-ftpd": "At the end of pure-ftpd.conf: of two lines for one option the last counts.",
}
# Without the helper these would be needed; with it they break PASV.
_ABSENT: Final[dict[Daemon, tuple[str, ...]]] = {
    "vsftpd": ("pasv_address",),
    "proftpd": ("MasqueradeAddress",),
    "pure-ftpd": ("ForcePassiveIP", "NATmode"),
}


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """Lines for one file of an FTP server."""

    path: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


@dataclass(frozen=True, slots=True)
class Snippet:
    """What one daemon on one family of systems needs.

    `place` says where in a file the lines go, '' if they are the whole file; `absent` are options that must not be
    there; `check` is a command that judges the files, '' where the daemon has none.
    """

    daemon: Daemon
    platform: Platform
    files: tuple[ConfigFile, ...]
    place: str
    absent: tuple[str, ...]
    restart: str
    check: str


def snippets(spec: ClusterSpec) -> tuple[Snippet, ...]:
    """Every daemon that can serve the range on every family, in a fixed order."""
    platforms: tuple[Platform, ...] = ("debian", "redhat")
    able = [daemon for daemon in DAEMONS if daemon != "proftpd" or spec.passive.size > 1]
    return tuple(snippet(spec, daemon, platform) for daemon in able for platform in platforms)


def snippet(spec: ClusterSpec, daemon: Daemon, platform: Platform) -> Snippet:
    """What `daemon` needs on a server of `spec`. ProFTPD refuses to start with a range of one port: SpecError."""
    if daemon == "proftpd" and spec.passive.size == 1:
        raise SpecError("passive_high", "ProFTPD needs at least two passive ports; widen the range")
    apart = daemon == "pure-ftpd" and platform == "debian"
    return Snippet(
        daemon,
        platform,
        _option_files(spec) if apart else (ConfigFile(_PATHS[daemon, platform], _lines(spec, daemon)),),
        "" if apart else _PLACES[daemon],
        _ABSENT[daemon],
        f"systemctl restart {daemon}",
        {"proftpd": "proftpd -t", "pure-ftpd": "pure-ftpd-wrapper --show-options" if apart else ""}.get(daemon, ""),
    )


def idle_timeout(spec: ClusterSpec) -> int:
    """Seconds after which a server should end a quiet session: before the routers forget where the client belongs."""
    return min(FTP_IDLE_TIMEOUT, spec.persistence_timeout or FTP_IDLE_TIMEOUT)


def default_route(spec: ClusterSpec) -> str:
    """The command that sets the default route an FTP server needs with NAT: the address that moves with the VIP."""
    return f"ip route replace default via {IPv4Address(spec.floating)}"


def _lines(spec: ClusterSpec, daemon: Daemon) -> tuple[str, ...]:
    body = {"vsftpd": _vsftpd, "proftpd": _proftpd, "pure-ftpd": _pure_ftpd}[daemon](spec)
    return (*_header(spec), *body)


def _header(spec: ClusterSpec) -> tuple[str, str]:
    return HEADER[0], HEADER[1].format(name=cluster_name(spec.name))


def _vsftpd(spec: ClusterSpec) -> list[str]:
    return [
        f"pasv_min_port={spec.passive.low:d}",
        f"pasv_max_port={spec.passive.high:d}",
        "connect_from_port_20=YES",
        f"idle_session_timeout={idle_timeout(spec):d}",
    ]


def _proftpd(spec: ClusterSpec) -> list[str]:
    """Twice: a virtual host inherits from <Global> and not from the main server, whose own lines beat <Global>.

    RootRevoke: by default ProFTPD gives up root after the login, and active connections come from any port.
    """
    lines = [
        f"PassivePorts {spec.passive.low:d} {spec.passive.high:d}",
        f"TimeoutIdle {idle_timeout(spec):d}",
        "RootRevoke off",
    ]
    return [*lines, "<Global>", *(f"  {line}" for line in lines), "</Global>"]


def _pure_ftpd(spec: ClusterSpec) -> list[str]:
    return [f"{option} {value}" for option, value in _pure_options(spec)]


def _option_files(spec: ClusterSpec) -> tuple[ConfigFile, ...]:
    return tuple(
        ConfigFile(f"{PURE_FTPD_FOLDER}/{option}", (*_header(spec), value)) for option, value in _pure_options(spec)
    )


def _pure_options(spec: ClusterSpec) -> list[tuple[str, str]]:
    """Idle time is in whole minutes here, one at least. Active connections come from port 20 without being told."""
    return [
        ("PassivePortRange", f"{spec.passive.low:d} {spec.passive.high:d}"),
        ("MaxIdleTime", f"{max(1, idle_timeout(spec) // 60):d}"),
    ]
