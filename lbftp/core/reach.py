"""Which real servers no session reached, why, until when: said honestly, because persistence decides who gets where.

A client keeps its real server while persistence lasts, so another server is only seen from another source address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from lbftp.core.observe.ipvs import Destination, Service, fwmark
from lbftp.core.observe.observed import Observed
from lbftp.core.sessions import label
from lbftp.core.spec import ClusterSpec, Family
from lbftp.core.templates import Kept, client

# How many addresses a sentence names.
_SHOWN: Final = 4


@dataclass(frozen=True, slots=True)
class Unseen:
    """A real server that no session of a kind reached. `planned`: it has weight 0, so nobody was to reach it.

    `seconds`: until persistence lets the first of the places' addresses go; 0 where that is not known, or not why.
    """

    kind: str
    real_server: str
    reason: str
    planned: bool = False
    seconds: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Seen:
    """What decides whether a server can be reached: the sessions' rows, the router that holds the VIP (None: it was
    not looked at, or none does), connections by real server's address there, who made sessions, and the places'
    addresses that persistence keeps somewhere by now, whether they had sessions or not."""

    rows: Sequence[Mapping[str, Any]]
    holder: Observed | None
    connections: Mapping[str, int]
    places: Sequence[str]
    kept: Mapping[str, Kept] = field(default_factory=dict)


def clients(spec: ClusterSpec, family: Family, sources: Iterable[str]) -> list[str]:
    """Of `sources` those that persistence takes for different clients, in their order; all without persistence."""
    found: dict[str, str] = {}
    for source in sources:
        known = client(spec, family, source) if source and spec.persistence_timeout else source
        found.setdefault(known, source)
    return list(found.values())


def unseen(spec: ClusterSpec, family: Family, missing: Iterable[tuple[str, str]], seen: Seen) -> list[Unseen]:
    """`missing` are (kind, real server) that no session reached; servers with weight 0 are told as well."""
    idle = [s.name for s in spec.servers(family) if not s.weight]
    planned = [Unseen("", name, f"{name} has weight 0: it takes no new clients.", planned=True) for name in idle]
    return planned + [_unseen(spec, family, kind, name, seen) for kind, name in missing]


def _unseen(spec: ClusterSpec, family: Family, kind: str, name: str, seen: Seen) -> Unseen:
    if reason := _known(spec, family, kind, name, seen):
        return Unseen(kind, name, reason)
    if seen.kept and spec.persistence_timeout:
        seconds = min(one.seconds for one in seen.kept.values())
        return Unseen(kind, name, _until(spec, family, name, seen, seconds), seconds=seconds)
    return Unseen(kind, name, _by_chance(spec, family, kind, name, seen))


def _known(spec: ClusterSpec, family: Family, kind: str, name: str, seen: Seen) -> str:
    """A reason that is not persistence; '' if there is none."""
    address = next((str(s.at(family)) for s in spec.servers(family) if s.name == name), "")
    service = seen.holder.services.get(fwmark(spec.mark, family)) if seen.holder else None
    if seen.holder and service and (why := _out(seen.holder.router, service, name, address, seen.connections)):
        return why
    mine = [row for row in seen.rows if label(row) == kind and row.get("real_server")]
    if mine:
        return ""
    return "No router's table had these sessions any more, so nobody can tell which real server they were given to."


def _until(spec: ClusterSpec, family: Family, name: str, seen: Seen, seconds: int) -> str:
    """By the routers' table: who is kept where, how long, and what that means for the server."""
    used = {str(row.get("client") or row.get("source")) for row in seen.rows}
    order = sorted(seen.kept.items(), key=lambda item: (item[1].seconds, item[0]))
    texts = [f"{who}{'' if who in used else ' (not tried)'} on {k.server} for {k.seconds} s" for who, k in order]
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return (
        f"Persistence keeps {', '.join(texts[:_SHOWN])}{more}{_grain(spec, family)}: {name} can be reached "
        f"in {seconds} s at the earliest, or from more source addresses of {' and '.join(seen.places)}."
    )


def _by_chance(spec: ClusterSpec, family: Family, kind: str, name: str, seen: Seen) -> str:
    """Where nothing is known of who is kept where."""
    service = seen.holder.services.get(fwmark(spec.mark, family)) if seen.holder else None
    mine = [row for row in seen.rows if label(row) == kind and row.get("real_server")]
    got = ", ".join(f"{row.get('client') or row.get('source')} on {row['real_server']}" for row in mine[:_SHOWN])
    more = f" and {len(mine) - _SHOWN} more" if len(mine) > _SHOWN else ""
    who = " and ".join(seen.places)
    timeout = service.persistence if service else spec.persistence_timeout
    if not timeout:
        return f"The scheduler {spec.scheduler} gave none of {len(mine)} sessions to {name} ({got}{more}). Try again."
    return (
        f"Persistence of {timeout} s keeps {got}{more}{_grain(spec, family)}: give {who} more source addresses, or try "
        f"again {timeout} s after the last session."
    )


def _out(router: str, service: Service, name: str, address: str, connections: Mapping[str, int]) -> str:
    """Why the router gives no new client to the server; '' if it would."""
    mine: Destination | None = next((d for d in service.destinations if d.address == address), None)
    if mine is None:
        return f"{router} has {name} not in rotation: its health check failed, or somebody took it out."
    if not mine.weight:
        return f"{router} has {name} with weight 0: it takes no new clients."
    used = connections.get(address, 0)
    # Above `upper` a server is left out until it is below `lower`, or below three quarters (ip_vs_dst_event).
    if mine.upper and used >= (mine.lower or mine.upper * 3 // 4):
        return f"{name} has {used} connections, and its threshold of {mine.upper} keeps new clients away."
    return ""


def _grain(spec: ClusterSpec, family: Family) -> str:
    prefix, whole = (
        (spec.persistence_granularity, 32) if family == 4 else (spec.persistence_granularity6, 128)
    )  # fmt: skip
    return "" if prefix == whole else f" (a whole /{prefix} counts as one client)"
