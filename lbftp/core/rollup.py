"""Live numbers of many looks in one: each measure as how often it was taken, the sum, and the most.

Such tallies can be put together in any order and any number of times over, so that minutes come from looks, hours from
minutes and days from hours, and a look that comes late is simply one more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from lbftp.core.measures import Measures

# Seconds of a roll-up's buckets, each made of those before it; 0 is a single look. Buckets begin at whole ones in UTC.
RAW: Final = 0
STEPS: Final = (60, 3600, 86400)
_GAUGES: Final = ("active", "inactive", "sessions", "passive", "other", "held")

# [times taken, sum, most]
Tally = list[float]
Tallies = dict[str, Tally]
# {"router": measure -> tally, "servers": real server -> measure -> tally}; it is kept as JSON.
Bucket = dict[str, Any]


def of(found: Measures, rates: Mapping[str, Mapping[str, float]]) -> Bucket:
    """One look. Real servers are in it only if the router held the VIP: a backup has no traffic of its own, and with
    connection sync it repeats the master's."""
    router = {"master": _one(found.master)}
    if found.conntrack:
        router["conntrack"] = _one(found.conntrack[0])
    servers = {one.name: {name: _one(getattr(one, name)) for name in _GAUGES} for one in found.servers}
    for name, grown in rates.items():
        servers[name] |= {measure: _one(value) for measure, value in grown.items()}
    return {"router": router, "servers": servers if found.master else {}}


def merged(parts: Iterable[Bucket]) -> Bucket:
    """All of `parts` as one."""
    router: Tallies = {}
    servers: dict[str, Tallies] = {}
    for part in parts:
        _add(router, part["router"])
        for name, tallies in part["servers"].items():
            _add(servers.setdefault(name, {}), tallies)
    return {"router": router, "servers": servers}


def start(seconds: float, step: int) -> int:
    """When the bucket of `step` seconds began that the moment `seconds` is in."""
    return int(seconds // step * step)


def mean(tally: Tally | None) -> float | None:
    """None where nothing was taken."""
    return tally[1] / tally[0] if tally else None


def most(tally: Tally | None) -> float | None:
    return tally[2] if tally else None


def _one(value: float) -> Tally:
    return [1, round(float(value), 3), round(float(value), 3)]


def _add(to: Tallies, more: Mapping[str, Tally]) -> None:
    for name, (times, total, highest) in more.items():
        old = to.get(name)
        to[name] = [old[0] + times, old[1] + total, max(old[2], highest)] if old else [times, total, highest]
