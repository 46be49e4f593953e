"""What sessions tell of the FTP servers, even where they worked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lbftp.core.findings import Finding, finding
from lbftp.core.spec import ClusterSpec


def check(spec: ClusterSpec, rows: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Servers that chose passive ports outside the cluster's range. `rows` are those of lbftp.core.sessions.

    The helper carries such a session all the same; firewalls on the way, and a cluster without helper, do not.
    """
    outside: dict[str, set[int]] = {}
    for row in rows:
        port = int(row.get("told_port") or 0)
        if port and port not in spec.passive:
            outside.setdefault(str(row.get("real_server") or ""), set()).add(port)
    for server, ports in sorted(outside.items()):
        name = server or "A real server"
        told = ", ".join(map(str, sorted(ports)[:4]))
        yield finding("passive-outside", server, str(spec.passive), told, server=name)
