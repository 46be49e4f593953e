"""/proc/net/ip_vs_conn -> how much each real server still has: sessions, transfers, and clients that persistence keeps.

A session is a control connection (to one of the cluster's log-in ports) that is established; every other established
connection is a transfer. A client is a persistence template: it brings the client back to its server until its time is
over, whatever the server's weight (ip_vs_core.c, ip_vs_conn.c: ip_vs_check_template; not so with
net.ipv4.vs.expire_quiescent_template and weight 0).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from lbftp.core.observe import connections
from lbftp.core.observe.connections import Entry
from lbftp.core.observe.errors import ObserveError
from lbftp.core.spec import ClusterSpec

# What the kernel calls a connection over which something may still come (ip_vs_proto_tcp.c).
_OPEN: Final = frozenset({"ESTABLISHED", "SYN_RECV"})
_MARK: Final = "--LBFTP--"

PROGRAM: Final = f"""
cat /proc/net/ip_vs_conn 2>/dev/null
echo {_MARK}
ip -o addr show
echo {_MARK}
cat /proc/sys/net/ipv4/vs/expire_quiescent_template 2>/dev/null
true
"""


@dataclass(frozen=True, slots=True)
class Left:
    """What one real server has. `sessions_for`, `clients_for`: seconds until the last of them is forgotten if nothing
    more comes."""

    sessions: int = 0
    transfers: int = 0
    clients: int = 0
    sessions_for: int = 0
    clients_for: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Table:
    """One router's answer. `left` by the real server's name; `master`: it holds a VIP of the cluster now; `forgets`:
    templates of servers with weight 0 are not heeded."""

    left: Mapping[str, Left]
    master: bool
    forgets: bool


def read(spec: ClusterSpec, answer: str) -> Table:
    """What `PROGRAM` printed on a router of the cluster. Raises ObserveError."""
    parts = answer.split(f"{_MARK}\n")
    if len(parts) != 3:
        raise ObserveError("/proc/net/ip_vs_conn", "the answer is cut off")
    table = list(connections.entries(parts[0]))
    names = {str(a): s.name for s in spec.real_servers for a in (s.address, s.address6) if a is not None}
    left = {s.name: _left(spec, [e for e in table if names.get(e.server) == s.name]) for s in spec.real_servers}
    vips = [f" {side.vip}/" for side in spec.sides]
    return Table(left, any(vip in parts[1] for vip in vips), parts[2].strip() == "1")


def _left(spec: ClusterSpec, entries: Iterable[Entry]) -> Left:
    """Only what came to this cluster: another one of the same router may use the same servers."""
    vips = {str(side.vip) for side in spec.sides}
    marks = connections.mark_addresses(spec.mark)
    here = [e for e in entries if e.vip in (vips if e.client_port else marks | vips)]
    open_ = [e for e in here if e.tcp and e.client_port and e.state in _OPEN]
    templates = [e for e in here if not e.client_port]
    sessions = [e for e in open_ if e.port in spec.ports]
    return Left(
        len(sessions),
        len(open_) - len(sessions),
        len(templates),
        max((e.seconds for e in open_), default=0),
        max((e.seconds for e in templates), default=0),
    )


def together(tables: Iterable[Table]) -> Table:
    """The pair's: what the router says that has the clients now. While none has (or both), the larger number counts."""
    known = list(tables)
    known = [t for t in known if t.master] or known
    names = {name for table in known for name in table.left}
    left = {name: max((t.left.get(name, Left()) for t in known), key=_much) for name in sorted(names)}
    return Table(left, any(t.master for t in known), any(t.forgets for t in known))


def _much(left: Left) -> tuple[int, int, int]:
    return left.sessions, left.transfers, left.clients
