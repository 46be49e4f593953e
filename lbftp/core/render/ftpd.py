"""What has to be on each FTP server of a cluster: lines for an administrator to copy, per daemon and family.

In 'helper' mode (the guide) the routers rewrite what the server says, so it must name its own address. In 'advertise'
mode nobody rewrites: it names the VIP, and may speak TLS. In both, its passive ports are those that the routers mark,
and active connections come from the port that they let out (`lbftp.core.promise`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, get_args

from lbftp.core.observe.ftpd import Daemon
from lbftp.core.observe.observed import Platform
from lbftp.core.render import proftpd, pure_ftpd, vsftpd
from lbftp.core.render.ftpd_parts import ConfigFile, Snippet, idle_timeout, served_ports
from lbftp.core.spec import ClusterSpec, SpecError

__all__ = ["DAEMONS", "TITLES", "ConfigFile", "Snippet", "idle_timeout", "snippet", "snippets", "unable"]

DAEMONS: Final[tuple[Daemon, ...]] = get_args(Daemon)
TITLES: Final[dict[Daemon, str]] = {"vsftpd": "vsftpd", "proftpd": "ProFTPD", "pure-ftpd": "Pure-FTPd"}
_PLATFORMS: Final[tuple[Platform, ...]] = get_args(Platform)
_RENDER: Final = {"vsftpd": vsftpd.snippet, "proftpd": proftpd.snippet, "pure-ftpd": pure_ftpd.snippet}


def snippet(spec: ClusterSpec, daemon: Daemon, platform: Platform) -> Snippet:
    """What `daemon` needs on a server of `spec`. Raises SpecError with the reason if it can serve none of it."""
    if not served_ports(spec):
        raise SpecError("mode", "the helper cannot see through TLS: implicit TLS needs the mode 'advertise'")
    return _RENDER[daemon](spec, platform)


def snippets(spec: ClusterSpec) -> tuple[Snippet, ...]:
    """Every daemon that can serve the cluster on every family, in a fixed order."""
    refused = dict(unable(spec))
    return tuple(snippet(spec, d, platform) for d in DAEMONS if d not in refused for platform in _PLATFORMS)


def unable(spec: ClusterSpec) -> tuple[tuple[Daemon, str], ...]:
    """The daemons that cannot serve the cluster, each with the reason."""

    def reasons() -> Iterator[tuple[Daemon, str]]:
        for daemon in DAEMONS:
            try:
                snippet(spec, daemon, "debian")
            except SpecError as error:
                yield daemon, error.message

    return tuple(reasons())
