"""How full the tables are that FTP needs: connection tracking, and the passive ports of each real server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from lbftp.core.findings import Finding, finding
from lbftp.core.observe.observed import Observed
from lbftp.core.spec import ClusterSpec

# In percent of the whole.
FILLING: Final = 80
FULL: Final = 95


def check(spec: ClusterSpec, observed: Observed) -> Iterator[Finding]:
    yield from _conntrack(observed)
    yield from _passive(spec, observed)


def _conntrack(observed: Observed) -> Iterator[Finding]:
    count = _number(observed.sysctls.get("net.netfilter.nf_conntrack_count", ""))
    most = _number(observed.sysctls.get("net.netfilter.nf_conntrack_max", ""))
    percent = count * 100 // most if most else 0
    if percent >= FILLING:
        code = "conntrack-full" if percent >= FULL else "conntrack-filling"
        yield finding(code, observed.router, f"below {FILLING} %", f"{count} of {most}", percent=percent)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _passive(spec: ClusterSpec, observed: Observed) -> Iterator[Finding]:
    """One open transfer holds one port. Only the router with the VIP has them all; a backup may have copies."""
    names = {str(a): s.name for s in spec.real_servers for a in (s.address, s.address6) if a is not None}
    vips = {str(side.vip) for side in spec.sides if observed.holds(str(side.vip))}
    used: Counter[str] = Counter()
    for use in observed.beside.use:
        if use.vip in vips and use.port in spec.passive and use.server in names:
            used[names[use.server]] += use.count
    for server, count in sorted(used.items()):
        percent = count * 100 // spec.passive.size
        if percent >= FILLING:
            code = "passive-full" if percent >= FULL else "passive-filling"
            found = f"{count} of {spec.passive.size}"
            yield finding(code, observed.router, f"below {FILLING} %", found, server=server, percent=percent)
