"""What pages show of a schedule: words, the next times, and how the last looks went, as a strip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from django.db.models import Count

from lbftp.changes.models import Run
from lbftp.clusters.models import Cluster
from lbftp.compliance.models import Policy
from lbftp.compliance.services import in_words, next_times

_SHOWN = 24


@dataclass(frozen=True, slots=True)
class Look:
    """One past compliance run: ok (nothing found), warn (drift), info (drift, put right), bad (it failed itself)."""

    x: int
    state: str
    title: str


@dataclass(frozen=True, slots=True)
class Row:
    cluster: Cluster
    policy: Policy | None
    words: str
    times: list[datetime]
    looks: list[Look]

    @property
    def summary(self) -> str:
        """The strip in words."""
        bad = sum(look.state != "ok" for look in self.looks)
        return f"{len(self.looks)} looks, {bad} with findings" if self.looks else "never looked at"

    @classmethod
    def of(cls, cluster: Cluster, policy: Policy | None, looks: list[Look] | None = None) -> Self:
        if looks is None:
            looks = past([cluster])[cluster.pk]
        if policy is None:
            return cls(cluster, None, "", [], looks)
        times = next_times(policy) if policy.enabled else []
        return cls(cluster, policy, in_words(policy.cron), times, looks)


def rows(clusters: Sequence[Cluster]) -> list[Row]:
    """One for each cluster; `select_related("policy")` saves queries."""
    looks = past(clusters)
    return [Row.of(cluster, getattr(cluster, "policy", None), looks[cluster.pk]) for cluster in clusters]


def past(clusters: Sequence[Cluster]) -> dict[int, list[Look]]:
    """The last looks at each cluster, oldest first, in one query."""
    found: dict[int, list[Run]] = {cluster.pk: [] for cluster in clusters}
    ended = Run.objects.filter(kind=Run.Kind.COMPLY, cluster__in=found, ended_at__isnull=False)
    counted = ended.annotate(count=Count("findings")).defer("result").order_by("-pk")[: _SHOWN * 4 * max(len(found), 1)]
    for run in counted:
        if run.cluster_id is not None and len(found[run.cluster_id]) < _SHOWN:
            found[run.cluster_id].append(run)
    return {key: [_look(8 * n, run) for n, run in enumerate(reversed(runs))] for key, runs in found.items()}


def _look(x: int, run: Run) -> Look:
    count = int(getattr(run, "count", 0))
    if run.state == Run.State.ERRORED or (run.state == Run.State.FAILED and not count):
        state = "bad"
    elif count:
        state = "info" if run.reapply and run.state == Run.State.SUCCEEDED else "warn"
    else:
        state = "ok"
    moment = run.ended_at.strftime("%-d %b %H:%M") if run.ended_at else ""
    return Look(x, state, f"{moment}: {count or 'no'} findings")
