"""Kept numbers of one cluster over a span of time, in buckets of one length; a bucket that nobody filled is a gap."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.conf import settings

from lbftp.clusters.models import Cluster
from lbftp.core import rollup
from lbftp.core.rollup import Bucket, Tally
from lbftp.numbers.models import Sample


@dataclass(frozen=True, slots=True)
class Span:
    """How far back: `step` is the roll-up that is read, `width` the seconds of a point, `mark` those between two names
    on the axis of time, written in form `form`."""

    name: str
    words: str
    seconds: int
    step: int
    width: int
    mark: int
    form: str


SPANS: Final = (
    Span("hour", "the last hour", 3600, 60, 60, 900, "%H:%M"),
    Span("day", "the last 24 hours", 86400, 60, 600, 21600, "%H:%M"),
    Span("month", "the last 30 days", 30 * 86400, 3600, 4 * 3600, 7 * 86400, "%-d %b"),
    Span("year", "the last year", 365 * 86400, 86400, 86400, 91 * 86400, "%-d %b"),
)
Points = list[float | None]


@dataclass(frozen=True, slots=True)
class Series:
    """Point `n` is of the `width` seconds from `begin + n * width` on. `buckets` are those of all routers together,
    `routers` of each."""

    span: Span
    begin: int
    width: int
    buckets: list[Bucket | None]
    routers: dict[str, list[Bucket | None]]

    def moment(self, point: float) -> datetime:
        return datetime.fromtimestamp(self.begin + point * self.width, UTC)

    def of_server(self, name: str, measure: str, take: Callable[[Tally | None], float | None]) -> Points:
        return [take(one["servers"].get(name, {}).get(measure)) if one else None for one in self.buckets]

    def held(self, router: str) -> Points:
        """How much of each point's time the router held the VIP, from 0 to 1."""
        return [rollup.mean(one["router"].get("master")) if one else None for one in self.routers[router]]

    @property
    def servers(self) -> list[str]:
        return sorted({name for one in self.buckets if one for name in one["servers"]})

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """Runs of points without numbers, first and last; the point that goes on now may still be filled."""
        empty = [n for n, one in enumerate(self.buckets[:-1]) if one is None]
        runs: list[tuple[int, int]] = []
        for n in empty:
            if runs and runs[-1][1] == n - 1:
                runs[-1] = (runs[-1][0], n)
            else:
                runs.append((n, n))
        return runs


def read(cluster: Cluster, span: Span, now: datetime) -> Series:
    """What is kept of the cluster's `span` up to `now`, in one query."""
    # Twice the interval, so that a look that came a little late is no gap.
    width = max(span.width, 60 * math.ceil(settings.SAMPLE_SECONDS * 2 / 60))
    count = span.seconds // width
    begin = rollup.start(now.timestamp(), width) - (count - 1) * width
    rows = Sample.objects.filter(cluster=cluster, step=span.step, at__gte=datetime.fromtimestamp(begin, UTC))
    parts: dict[str, list[list[Bucket]]] = {}
    for router, at, data in rows.filter(at__lte=now).values_list("router", "at", "data"):
        place = int(at.timestamp() - begin) // width
        parts.setdefault(router, [[] for _ in range(count)])[place].append(data)
    routers = {router: [_one(part) for part in found] for router, found in sorted(parts.items())}
    together = zip(*routers.values(), strict=True) if routers else ([] for _ in range(count))
    return Series(span, begin, width, [_one([one for one in found if one]) for found in together], routers)


def _one(parts: Sequence[Bucket]) -> Bucket | None:
    return rollup.merged(parts) if parts else None
