"""What real FTP sessions last showed of clusters: per kind of client and per real server. Reads events only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import Max

from lbftp.changes.models import Run, RunEvent
from lbftp.clusters.models import Cluster, Revision
from lbftp.core.promise import promised
from lbftp.core.sessions import kind_row, label, order
from lbftp.core.spec import from_json

_WORST_FIRST: Final = ("bad", "idle", "ok")
# Before anything is applied: the guide's clients.
_GUIDE: Final = tuple({"mode": mode} for mode in ("PASV", "EPSV", "PORT", "EPRT"))


@dataclass(frozen=True, slots=True)
class ModeProof:
    """One kind of client, or all of one mode. `state`: ok, bad, or idle for what was never tried. `title` says it in
    a sentence; `promised` is false for what only an earlier revision promised."""

    mode: str
    state: str
    title: str
    promised: bool = True


@dataclass(slots=True)
class Proof:
    """The newest run of a cluster that made sessions; `run` is None if there was none yet. `kinds` are the promised."""

    run: Run | None = None
    sessions: list[dict[str, Any]] = field(default_factory=list)
    kinds: tuple[dict[str, Any], ...] = _GUIDE

    @property
    def modes(self) -> list[ModeProof]:
        """Every kind of client that is promised or was tried, in its usual order."""
        rows = {label(row): row for row in (*self.sessions, *self.kinds)}
        return [self._kind(label(row)) for row in sorted(rows.values(), key=order)]

    @property
    def brief(self) -> list[ModeProof]:
        """The same by mode alone, the worst of its promised kinds: for where there is little room."""
        found: dict[str, list[ModeProof]] = {}
        for kind in self.kinds:
            found.setdefault(kind["mode"], []).append(self._kind(label(kind)))
        return [_worst(mode, proofs) for mode, proofs in found.items()]

    @property
    def servers(self) -> dict[str, bool]:
        """Real server -> whether the last session with it of every kind was good, from every place."""
        mine = [s for s in self.sessions if s.get("real_server")]
        last = {(s["real_server"], label(s), s.get("place")): bool(s["ok"]) for s in mine}
        return {str(name): all(ok for (n, _, _), ok in last.items() if n == name) for name, _, _ in last}

    def _kind(self, kind: str) -> ModeProof:
        mine = [s for s in self.sessions if label(s) == kind]
        ours = kind in {label(k) for k in self.kinds}
        if not mine:
            return ModeProof(kind, "idle", f"{kind} was not tried yet", ours)
        # The last session with a server from a place counts: an earlier one may have met a router that still reloaded.
        last = {(s.get("real_server") or "", s.get("place")): s for s in mine}
        reached = sorted({name for (name, _), s in last.items() if name and s["ok"]})
        if bad := next((s for s in last.values() if not s["ok"]), None):
            reason = bad.get("message") or bad.get("stage") or "no reason given"
            return ModeProof(kind, "bad", f"{kind} failed: {reason}", ours)
        return ModeProof(kind, "ok", f"{kind} works with {', '.join(reached) or 'the cluster'}", ours)


def _worst(mode: str, proofs: list[ModeProof]) -> ModeProof:
    state = next(state for state in _WORST_FIRST if any(p.state == state for p in proofs))
    return ModeProof(mode, state, "; ".join(p.title for p in proofs if p.state == state))


def latest(clusters: Iterable[Cluster]) -> dict[int, Proof]:
    """The newest proof of each cluster, by its primary key, in four queries."""
    known = list(clusters)
    keys = [cluster.pk for cluster in known]
    sessions = RunEvent.objects.filter(kind="session", run__cluster__in=keys)
    newest = {
        row["newest"]: row["run__cluster"]
        for row in sessions.order_by().values("run__cluster").annotate(newest=Max("run"))
    }
    proofs = {key: Proof() for key in keys}
    for revision in Revision.objects.filter(pk__in=[c.applied_id for c in known if c.applied_id]):
        kinds = promised(from_json(revision.spec))
        proofs[revision.cluster_id].kinds = tuple(kind_row(kind) for kind in kinds)
    for run in Run.objects.filter(pk__in=newest).defer("result"):
        proofs[newest[run.pk]].run = run
    for event in RunEvent.objects.filter(kind="session", run__in=newest).order_by("run", "seq"):
        proofs[newest[event.run_id]].sessions.append(event.data)
    return proofs
