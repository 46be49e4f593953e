"""What real FTP sessions last showed of clusters: per mode and per real server. Reads events; decides nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Max

from lbftp.changes.models import Run, RunEvent
from lbftp.changes.view_of_run import MODES
from lbftp.clusters.models import Cluster


@dataclass(frozen=True, slots=True)
class ModeProof:
    """`state`: ok, bad, or idle for a mode that was never tried. `title` says it in a sentence."""

    mode: str
    state: str
    title: str


@dataclass(slots=True)
class Proof:
    """The newest run of a cluster that made sessions; `run` is None if there was none yet."""

    run: Run | None = None
    sessions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def modes(self) -> list[ModeProof]:
        return [self._mode(mode) for mode in MODES]

    @property
    def servers(self) -> dict[str, bool]:
        """Real server -> whether the last session with it in every mode was good."""
        last = {(s.get("real_server"), s["mode"]): bool(s["ok"]) for s in self.sessions if s.get("real_server")}
        return {str(name): all(ok for (n, _), ok in last.items() if n == name) for name, _ in last}

    def _mode(self, mode: str) -> ModeProof:
        mine = [s for s in self.sessions if s["mode"] == mode]
        if not mine:
            return ModeProof(mode, "idle", f"{mode} was not tried yet")
        # The last session with a server counts: an earlier one may have met a router that was still reloading.
        last = {s.get("real_server") or "": s for s in mine}
        reached = sorted(name for name, s in last.items() if name and s["ok"])
        if bad := next((s for s in last.values() if not s["ok"]), None):
            return ModeProof(
                mode, "bad", f"{mode} failed: {bad.get('message') or bad.get('stage') or 'no reason given'}"
            )
        return ModeProof(mode, "ok", f"{mode} works with {', '.join(reached) or 'the cluster'}")


def latest(clusters: Iterable[Cluster]) -> dict[int, Proof]:
    """The newest proof of each cluster, by its primary key, in three queries."""
    keys = [cluster.pk for cluster in clusters]
    sessions = RunEvent.objects.filter(kind="session", run__cluster__in=keys)
    newest = {
        row["newest"]: row["run__cluster"]
        for row in sessions.order_by().values("run__cluster").annotate(newest=Max("run"))
    }
    proofs = {key: Proof() for key in keys}
    for run in Run.objects.filter(pk__in=newest).defer("result"):
        proofs[newest[run.pk]].run = run
    for event in RunEvent.objects.filter(kind="session", run__in=newest).order_by("run", "seq"):
        proofs[newest[event.run_id]].sessions.append(event.data)
    return proofs
