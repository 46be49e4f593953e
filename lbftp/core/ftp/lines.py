"""What has to be on each FTP server of a cluster: lines for an administrator to copy, per daemon
and family.

In 'helper' mode (the guide) the routers rewrite what the server says, so it must name its own
address. In 'advertise' mode nobody rewrites: it names the VIP, and may speak TLS. In both, its
passive ports are those that the routers mark, and active connections come from the port that they
let out (`lbftp.core.promise`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, get_args

from lbftp.core.ftp.daemons import named, names
from lbftp.core.ftp.parts import Snippet, served_ports
from lbftp.core.observe.observed import Platform
from lbftp.core.spec import ClusterSpec, SpecError

_PLATFORMS: Final[tuple[Platform, ...]] = get_args(Platform)


def snippet(spec: ClusterSpec, daemon: str, platform: Platform) -> Snippet:
    """What `daemon` needs on a server of `spec`. Raises SpecError with the reason if it can
    serve none of it.
    """
    if not served_ports(spec):
        raise SpecError("mode", "the helper cannot see through TLS: implicit TLS needs the mode 'advertise'")
    return named(daemon).lines(spec, platform)


def snippets(spec: ClusterSpec) -> tuple[Snippet, ...]:
    """Every daemon that can serve the cluster on every family, in a fixed order."""
    refused = dict(unable(spec))
    return tuple(snippet(spec, d, platform) for d in names() if d not in refused for platform in _PLATFORMS)


def unable(spec: ClusterSpec) -> tuple[tuple[str, str], ...]:
    """The daemons that cannot serve the cluster, each with the reason."""

    def reasons() -> Iterator[tuple[str, str]]:
        for daemon in names():
            try:
                snippet(spec, daemon, "debian")
            except SpecError as error:
                yield daemon, error.message

    return tuple(reasons())
