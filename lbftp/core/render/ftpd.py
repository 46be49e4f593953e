"""What has to be on each FTP server of a cluster: lines for an administrator to copy, per daemon and family.

In 'helper' mode (the guide) the routers rewrite what the server says, so it must name its own address. In 'advertise'
mode nobody rewrites: it names the VIP, and may speak TLS. In both, its passive ports are those that the routers mark,
and active connections come from the port that they let out (`lbftp.core.promise`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, get_args

from lbftp.core.observe.ftpd import Daemon
from lbftp.core.observe.observed import Platform
from lbftp.core.render import proftpd, pure_ftpd, vsftpd
from lbftp.core.render.ftpd_parts import ConfigFile, Snippet, idle_timeout, names_vip, served_ports
from lbftp.core.spec import ClusterSpec, SpecError

__all__ = ["DAEMONS", "TITLES", "ConfigFile", "Snippet", "conflicts", "idle_timeout", "snippet", "snippets", "unable"]

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


def conflicts(spec: ClusterSpec, others: Sequence[ClusterSpec]) -> tuple[str, ...]:
    """Why one daemon cannot serve `spec` and another cluster with the same real server, a sentence each."""
    return tuple(text for other in others if other.key != spec.key for text in _conflict(spec, other))


def _conflict(spec: ClusterSpec, other: ClusterSpec) -> Iterator[str]:
    shared = _shared(spec, other)
    if not shared:
        return
    where = f"{', '.join(shared)} {'also serve' if len(shared) > 1 else 'also serves'} the cluster {other.name}"
    if (why := _told(spec, other)) and set(spec.ports) & set(other.ports):
        yield f"{where}, {why}. Give each cluster a port, an instance or a server of its own."
    if spec.passive != other.passive:
        yield f"{where}, whose passive range is {other.passive}: a daemon has one range, so make the two equal."


def _shared(spec: ClusterSpec, other: ClusterSpec) -> list[str]:
    taken = {a for s in other.real_servers for a in (s.address, s.address6) if a is not None}
    return [s.name for s in spec.real_servers if {s.address, s.address6} & taken]


def _told(spec: ClusterSpec, other: ClusterSpec) -> str:
    """Why the address that PASV names for one is wrong for the other; '' if it is right."""
    if spec.vip is None or other.vip is None:
        return ""
    if names_vip(spec) and names_vip(other):
        return f"whose VIP is {other.vip}, and PASV can name only one" if spec.vip != other.vip else ""
    if names_vip(spec) != names_vip(other):
        unlike = other if names_vip(spec) else spec
        why = "the helper there rewrites it" if unlike.mode == "helper" else "the client comes to its VIP itself"
        return f"and for {unlike.name} PASV must not be told an address: {why}"
    return ""
