"""What routers said last, for the page, the command line and /metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from lbftp import database
from lbftp.clusters.models import Cluster
from lbftp.core.measures import Measures, from_json
from lbftp.core.spec import ClusterSpec
from lbftp.numbers.models import Latest, Watch
from lbftp.numbers.services import applied_spec

# Looks that may fail before what was said last is no longer called the present.
_MISSED = 3


@dataclass(frozen=True, slots=True)
class RouterNow:
    """`measures` is None unless they are fresh; `answered_at` is when the router last answered at all, `problem` why it
    does not, '' if it does or was never asked."""

    name: str
    answered_at: datetime | None
    problem: str
    measures: Measures | None

    @property
    def word(self) -> str:
        if self.measures:
            return "MASTER" if self.measures.master else "BACKUP"
        return "no answer" if self.problem else "not asked yet" if self.answered_at is None else "silent"


@dataclass(frozen=True, slots=True)
class Present:
    """One cluster now. `spec` is None while nothing is applied."""

    cluster: Cluster
    spec: ClusterSpec | None
    routers: tuple[RouterNow, ...]

    @property
    def master(self) -> Measures | None:
        """Of the router that holds the VIP; None if none says so, or more than one."""
        found = [one.measures for one in self.routers if one.measures and one.measures.master]
        return found[0] if len(found) == 1 else None


def fresh_for() -> timedelta:
    return timedelta(seconds=max(settings.SAMPLE_SECONDS, 1) * _MISSED)


def present(clusters: Sequence[Cluster]) -> list[Present]:
    """In two queries. The clusters have to come with their `applied`."""
    watches = {
        (watch.router.team_id, watch.router.name): watch
        for watch in Watch.objects.filter(router__team__in={c.team_id for c in clusters}).select_related("router")
    }
    latest = {(row.cluster_id, row.router): row for row in Latest.objects.filter(cluster__in=clusters)}
    found = []
    for cluster in clusters:
        spec = applied_spec(cluster)
        names = [router.name for router in spec.routers] if spec else []
        routers = (_router(n, watches.get((cluster.team_id, n)), latest.get((cluster.pk, n))) for n in names)
        found.append(Present(cluster, spec, tuple(routers)))
    return found


def _router(name: str, watch: Watch | None, row: Latest | None) -> RouterNow:
    fresh = row is not None and row.at > database.now() - fresh_for()
    return RouterNow(
        name=name,
        answered_at=watch.answered_at if watch else None,
        problem=watch.problem if watch else "",
        measures=from_json(row.data) if row and fresh else None,
    )
