"""The ways back that lie on routers, as the site knows them from its runs: which run left them, and what was before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lbftp.accounts.models import Team
from lbftp.changes.models import Run, RunEvent
from lbftp.clusters.models import Cluster, Revision
from lbftp.core.ours import CHECKPOINTS_KEPT, ROLL_BACK

K: Final = Run.Kind
# Runs that bring the routers from one applied state to another, and keep their steps for the way back.
ROLLED_BACK: Final = frozenset({K.APPLY, K.ROLLBACK})


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What one run left on routers: router -> (the checkpoint's name, the command for its own console)."""

    run: Run
    routers: dict[str, tuple[str, str]]


def of_run(run: Run) -> dict[str, str]:
    """Router -> the name of the run's checkpoint there, which lies there still as far as the site knows.

    A router keeps the last ones; whether it has this one is seen when the way back is planned.
    """
    names = _named(RunEvent.objects.filter(run=run, kind="checkpoint"))
    return {router: name for router, name in names.items() if name in _kept(run.team, router)}


def of_pair(team: Team, routers: Sequence[str]) -> list[Checkpoint]:
    """Of the runs whose change stands, the newest first, whichever cluster they were for."""
    kept = {router: set(_kept(team, router)) for router in sorted(routers)}
    rows = RunEvent.objects.filter(run__team=team, kind="checkpoint", router__in=routers)
    rows = rows.filter(run__state=Run.State.SUCCEEDED, run__kind__in=ROLLED_BACK)
    found: dict[int, Checkpoint] = {}
    for row in rows.select_related("run__cluster", "run__change", "run__started_by").order_by("-run_id", "router"):
        name = row.data["name"]
        if name in kept[row.router]:
            one = found.setdefault(row.run_id, Checkpoint(row.run, {}))
            one.routers[row.router] = (name, f"sh {ROLL_BACK} {name}")
    return list(found.values())


def before(run: Run) -> Revision | None:
    """The revision that was applied to the run's cluster before it; None for nothing."""
    earlier = Run.objects.filter(cluster=run.cluster, kind__in=ROLLED_BACK, state=Run.State.SUCCEEDED, dry=False)
    last = earlier.filter(ended_at__lt=run.ended_at).select_related("revision", "change").order_by("-ended_at").first()
    if last is None:
        return None
    return last.revision if last.kind == K.APPLY else target(last)


def target(run: Run) -> Revision | None:
    """The revision that a roll-back brings back; None for nothing."""
    to = run.change.params["to"] if run.change else None
    return Revision.objects.get(pk=to["revision"]) if to else None


def of_cluster(cluster: Cluster) -> list[Checkpoint]:
    """Those on the routers of what is applied to the cluster."""
    if cluster.applied is None:
        return []
    return of_pair(cluster.team, [r["name"] for r in cluster.applied.spec["routers"]])


def _kept(team: Team, router: str) -> list[str]:
    rows = RunEvent.objects.filter(run__team=team, kind="checkpoint", router=router).order_by("-run_id", "-seq")
    return [row.data["name"] for row in rows[:CHECKPOINTS_KEPT]]


def _named(rows: Iterable[RunEvent]) -> dict[str, str]:
    return {row.router: row.data["name"] for row in rows}
