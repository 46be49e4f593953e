"""Which clients persistence keeps on which real server, and for how long (the table's lines without a client port), and
which servers new clients may be given to.

A client with a template gets its server again; only one without gets the scheduler's choice (ip_vs_sched_persist in
ip_vs_core.c). A template's time begins anew with each connection, and it stays while connections of it are left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Final

from lbftp.core.observe import connections, ipvs
from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.ipvs import Service, fwmark
from lbftp.core.spec import ClusterSpec, Family

_MARK: Final = "--LBFTP--"
# Only these lines: a busy router's table has a hundred thousand. ipvsadm would load ip_vs where it is not.
PROGRAM: Final = f"""
awk 'NR == 1 || $3 == "0000"' /proc/net/ip_vs_conn 2>/dev/null
echo {_MARK}
ip -o addr show
echo {_MARK}
if [ -e /proc/net/ip_vs ]; then ipvsadm -Sn; fi
true
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A client's real server, by its name (its address if it is none of the cluster's), and the seconds left."""

    server: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Templates:
    """What is known of a router or a pair. `of` is by the client's address as persistence has it (see `client`);
    `rotation`: the names of servers with a weight in the cluster's service, for each IP version that has one."""

    of: Mapping[str, Kept] = field(default_factory=dict)
    rotation: Mapping[Family, frozenset[str]] = field(default_factory=dict)


def read(spec: ClusterSpec, answer: str) -> Templates | None:
    """What `PROGRAM` printed on a router of the cluster; None for one that does not hold a VIP of it: what that has are
    copies, or of earlier times. Raises ObserveError."""
    parts = answer.split(f"{_MARK}\n")
    if len(parts) != 3:
        raise ObserveError("/proc/net/ip_vs_conn", "the answer is cut off")
    table, addresses, services = parts
    if not any(f" {side.vip}/" in addresses for side in spec.sides):
        return None
    names = {str(a): s.name for s in spec.real_servers for a in (s.address, s.address6) if a is not None}
    marks = connections.mark_addresses(spec.mark)
    found = {
        one.client: Kept(names.get(one.server, one.server), one.seconds)
        for one in connections.entries(table)
        if not one.client_port and one.vip in marks
    }
    return Templates(found, _rotation(spec, ipvs.parse(services), names))


def _rotation(
    spec: ClusterSpec, services: Mapping[str, Service], names: Mapping[str, str]
) -> dict[Family, frozenset[str]]:
    here = {side.family: services.get(fwmark(spec.mark, side.family)) for side in spec.sides}
    return {
        family: frozenset(names.get(d.address, d.address) for d in service.destinations if d.weight)
        for family, service in here.items()
        if service
    }


def together(routers: Iterable[Templates | None]) -> Templates:
    """The pair's: of the router that has the clients now."""
    found = Templates()
    for one in routers:
        if one is not None:
            found = Templates({**found.of, **one.of}, {**found.rotation, **one.rotation})
    return found


def client(spec: ClusterSpec, family: Family, source: str) -> str:
    """The address by which persistence knows `source`: that of its network, where the granularity is coarser."""
    prefix = spec.persistence_granularity if family == 4 else spec.persistence_granularity6
    return str(ip_network(f"{ip_address(source)}/{prefix}", strict=False).network_address)


def kept(spec: ClusterSpec, family: Family, sources: Iterable[str], table: Mapping[str, Kept]) -> dict[str, Kept]:
    """Those of `sources` that persistence keeps somewhere. '' (an address that is not known) is left out."""
    found = {source: table.get(client(spec, family, source)) for source in sources if source}
    return {source: one for source, one in found.items() if one is not None}


def turn(sources: Sequence[str], held: Mapping[str, Kept], wanted: Iterable[str], size: int) -> list[str]:
    """Whose turn it is, `size` at most: one address for each wanted server that one is kept on, then such as are kept
    nowhere. An address that is kept on another server shows nothing new; [] if there are only such."""
    open_ = set(wanted)
    now: list[str] = []
    for source in sources:
        if source in held and held[source].server in open_ and len(now) < size:
            open_.remove(held[source].server)
            now.append(source)
    free = [source for source in sources if source not in held]
    return now + free[: size - len(now)]
