"""What a router's live numbers say of one cluster, and how fast its counters grew since the look
before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from lbftp.core.observe import ipvs
from lbftp.core.observe.ipvs_stats import Counters
from lbftp.core.observe.numbers import Held, Numbers, Server, Use
from lbftp.core.spec import ClusterSpec, RealServerSpec, Side

# Two looks further apart say nothing about what a moment was like.
FAR_APART: Final = 900.0
_NONE: Final = Counters(0, 0, 0, 0, 0)
_NOBODY: Final = Held(0, 0)


@dataclass(frozen=True, slots=True)
class ServerMeasures:
    """A real server as one router sees it, both IP versions together.

    `weight` is None where IPVS has not got the server: keepalived took it out, or it was never put
    in. `sessions` are open control connections, `passive` open data connections in the passive
    range, `other` those of active mode that the helper knows of. `held` clients persistence would
    bring back to it, the last one for `held_seconds` more.
    """

    name: str
    weight: int | None
    active: int
    inactive: int
    sessions: int
    passive: int
    other: int
    held: int
    held_seconds: int
    total: Counters

    @property
    def left(self) -> int:
        """What has to end before the server can go without anybody noticing: open connections
        and held clients.
        """
        return max(self.active, self.sessions + self.passive + self.other) + self.held


@dataclass(frozen=True, slots=True)
class Measures:
    """One cluster on one router. `master`: it holds every VIP of the cluster; `ports`: passive
    ports of a server.
    """

    router: str
    uptime: float
    boot: str
    master: bool
    conntrack: tuple[int, int] | None
    ports: int
    servers: tuple[ServerMeasures, ...]

    def server(self, name: str) -> ServerMeasures | None:
        return next((one for one in self.servers if one.name == name), None)


def measures(spec: ClusterSpec, router: str, numbers: Numbers) -> Measures:
    """What `router` said of the cluster `spec`."""
    return Measures(
        router=router,
        uptime=numbers.uptime,
        boot=numbers.boot,
        master=all(numbers.holds(side.vip) for side in spec.sides),
        conntrack=numbers.conntrack,
        ports=spec.passive.size,
        servers=tuple(_server(spec, server, numbers) for server in spec.real_servers),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """A real server over one IP version."""

    listed: Server | None
    use: Use
    held: Held

    @property
    def clients(self) -> int:
        """Those that persistence holds to it. The service's own count is exact; of a server that
        is out of rotation only the connections are left to tell."""
        return self.listed.persistent if self.listed else self.held.clients


def _server(spec: ClusterSpec, server: RealServerSpec, numbers: Numbers) -> ServerMeasures:
    sides = [side for side in spec.sides if server.at(side.family)]
    parts = [_part(spec, side, str(server.at(side.family)), numbers) for side in sides]
    listed = [part.listed for part in parts if part.listed]

    return ServerMeasures(
        name=server.name,
        weight=max((one.weight for one in listed), default=None),
        active=sum(one.active for one in listed),
        inactive=sum(one.inactive for one in listed),
        sessions=sum(part.use.sessions for part in parts),
        passive=sum(part.use.passive for part in parts),
        other=sum(part.use.other for part in parts),
        held=sum(part.clients for part in parts),
        held_seconds=max((part.held.seconds for part in parts), default=0),
        total=_sum(one.total for one in listed),
    )


def _part(spec: ClusterSpec, side: Side, address: str, numbers: Numbers) -> _Part:
    service = numbers.services.get(ipvs.fwmark(spec.mark, side.family))

    return _Part(
        listed=service.servers.get(address) if service else None,
        use=numbers.used.get((str(side.vip), address), Use()),
        held=numbers.held.get((spec.mark, address), _NOBODY),
    )


def _sum(counters: Iterable[Counters]) -> Counters:
    total = _NONE
    for one in counters:
        pairs = zip(_values(total), _values(one), strict=True)
        total = Counters(*(a + b for a, b in pairs))
    return total


def _values(counters: Counters) -> tuple[int, ...]:
    return tuple(asdict(counters).values())


def rates(before: Measures | None, after: Measures) -> Mapping[str, Mapping[str, float]]:
    """Real server -> counter -> growth a second. Empty if the two looks cannot be compared.

    A counter that is smaller than before began anew (keepalived was restarted, the server was put
    back in): all that it shows came since.
    """
    if before is None or before.boot != after.boot:
        return {}
    seconds = after.uptime - before.uptime
    if not 0 < seconds <= FAR_APART:
        return {}

    earlier = _counted(before)
    now = _counted(after)
    return {name: _growth(earlier[name], now[name], seconds) for name in now if name in earlier}


def _counted(found: Measures) -> dict[str, Counters]:
    """By real server; one that is out of rotation has no counters."""
    return {one.name: one.total for one in found.servers if one.weight is not None}


def _growth(before: Counters, after: Counters, seconds: float) -> dict[str, float]:
    old, new = asdict(before), asdict(after)
    if any(new[name] < old[name] for name in new):
        old = dict.fromkeys(new, 0)
    return {name: (new[name] - old[name]) / seconds for name in new}


def to_json(found: Measures) -> dict[str, Any]:
    return {**asdict(found), "servers": [asdict(one) for one in found.servers]}


def from_json(data: Mapping[str, Any]) -> Measures:
    """The inverse of `to_json`."""
    servers = tuple(_server_from_json(one) for one in data["servers"])
    conntrack = tuple(data["conntrack"]) if data["conntrack"] else None
    return Measures(**{**data, "conntrack": conntrack, "servers": servers})


def _server_from_json(data: Mapping[str, Any]) -> ServerMeasures:
    return ServerMeasures(**{**data, "total": Counters(**data["total"])})
