"""What pages show of a schedule: words, the next times, and how the last looks went, as a strip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Self

from django.db.models import Count

from lbftp.changes.models import Run
from lbftp.clusters.models import Cluster
from lbftp.compliance.models import FindingRow, Policy
from lbftp.compliance.services import in_words, next_times

_SHOWN = 24


@dataclass(frozen=True, slots=True)
class Look:
    """One past compliance run: ok (nothing found), warn (drift), info (drift, put right), bad (it failed itself)."""

    x: int
    state: str
    title: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A finding of the newest look, and when a look saw it first without a break."""

    row: FindingRow
    since: datetime


@dataclass(frozen=True, slots=True)
class Row:
    cluster: Cluster
    policy: Policy | None
    words: str
    times: list[str]
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
        # In the policy's own zone, as the person who set it thinks of it.
        times = [f"{t:%a %-d %b, %H:%M %Z}" for t in next_times(policy)] if policy.enabled else []
        return cls(cluster, policy, in_words(policy.cron), times, looks)


def rows(clusters: Sequence[Cluster]) -> list[Row]:
    """One for each cluster; `select_related("policy")` saves queries."""
    looks = past(clusters)
    return [Row.of(cluster, getattr(cluster, "policy", None), looks[cluster.pk]) for cluster in clusters]


def past(clusters: Sequence[Cluster]) -> dict[int, list[Look]]:
    """The last looks at each cluster, oldest first, in one query."""
    found: dict[int, list[Run]] = {cluster.pk: [] for cluster in clusters}
    ended = Run.objects.filter(kind=Run.Kind.COMPLY, cluster__in=found, ended_at__isnull=False)
    ended = ended.exclude(state=Run.State.CANCELLED)
    counted = ended.annotate(count=Count("findings")).defer("result").order_by("-pk")[: _SHOWN * 4 * max(len(found), 1)]
    for run in counted:
        if run.cluster_id is not None and len(found[run.cluster_id]) < _SHOWN:
            found[run.cluster_id].append(run)
    return {key: [_look(8 * n, run) for n, run in enumerate(reversed(runs))] for key, runs in found.items()}


def standing(cluster: Cluster) -> list[Standing]:
    """What the newest look found, worst first. Further back than the last hundred looks "since" is not followed."""
    looks = cluster.runs.filter(kind=Run.Kind.COMPLY, ended_at__isnull=False).exclude(state=Run.State.CANCELLED)
    runs = list(looks.order_by("-pk")[:100])
    seen: dict[int, dict[tuple[str, str, str], FindingRow]] = {run.pk: {} for run in runs}
    for row in FindingRow.objects.filter(run__in=runs).select_related("cluster", "run"):
        seen[row.run_id][row.code, row.router, row.what] = row
    newest = seen[runs[0].pk] if runs else {}
    found = [Standing(row, _since(key, row, seen)) for key, row in newest.items()]
    return sorted(found, key=lambda one: (one.row.repaired, one.row.severity != "error", one.row.code))


def _since(
    key: tuple[str, str, str], newest: FindingRow, seen: dict[int, dict[tuple[str, str, str], FindingRow]]
) -> datetime:
    """`seen` is newest first: the oldest look of the unbroken row of looks that have `key`."""
    oldest = newest
    for found in takewhile(lambda found: key in found, seen.values()):
        oldest = found[key]
    return oldest.at


def _look(x: int, run: Run) -> Look:
    count = int(getattr(run, "count", 0))
    if run.state == Run.State.ERRORED or (run.state == Run.State.FAILED and not count):
        state = "bad"
    elif count:
        state = "info" if run.reapply and run.shown == Run.State.SUCCEEDED else "warn"
    else:
        state = "ok"
    moment = run.ended_at.strftime("%-d %b %H:%M") if run.ended_at else ""
    return Look(x, state, f"{moment}: {count or 'no'} findings")
