"""What the pages show of a cluster's real servers day by day: who is in rotation, what drained ones still have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lbftp.changes import approvals
from lbftp.changes.machines import Machine, machines
from lbftp.changes.models import ChangeRequest
from lbftp.clusters.models import Cluster
from lbftp.core.spec import ClusterSpec, RealServerSpec, SpecError, from_json
from lbftp.daytwo.models import Drain
from lbftp.daytwo.services import rules

C: Final = ChangeRequest.State
_WAITING: Final = (C.PLANNING, C.PROPOSED, C.APPROVED, C.STALE, C.APPLYING)


@dataclass(frozen=True, slots=True)
class Server:
    """One real server as it is applied; `drain` is the one that goes on, `machine` what was last found there, None
    where no server's machine is looked at."""

    spec: RealServerSpec
    drain: Drain | None
    machine: Machine | None = None

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def state(self) -> tuple[str, str]:
        """A look (web/templatetags/ui.py) and its word."""
        if self.spec.disabled:
            return "idle", "out of rotation"
        if self.spec.weight:
            return "ok", "in rotation"
        if self.drain and self.drain.state == Drain.State.EMPTY:
            return "empty", "empty"
        return "draining", "draining"

    @property
    def words(self) -> str:
        """What a drained one still has, in a sentence; '' for the others."""
        return told(self.drain) if self.drain else ""

    @property
    def kept(self) -> str:
        """Who may come back to a drained one; '' if nobody."""
        return kept(self.drain) if self.drain else ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A day-two change under way. `excuse`: why nobody else has to approve it just now; '' if somebody has to."""

    change: ChangeRequest
    excuse: str

    @property
    def words(self) -> str:
        """What it waits for."""
        if self.change.state == C.PROPOSED and self.excuse:
            return "planned, an operator may apply it"
        return self.change.get_state_display().lower()


@dataclass(frozen=True, slots=True)
class Standing:
    """`waiting`: day-two changes that are under way; `undoable`: the last one, if a click can undo it."""

    cluster: Cluster
    servers: tuple[Server, ...]
    sorry: str
    waiting: tuple[Waiting, ...]
    undoable: ChangeRequest | None

    @property
    def sorry_initial(self) -> dict[str, str]:
        """What the form for the sorry server begins with."""
        found = {"address6" if ":" in a else "address": a for a in self.sorry.split(" and ") if a}
        return {"address": "", "address6": "", **found}

    @property
    def machines(self) -> bool:
        """Whether there is anything to tell of servers' own machines."""
        return any(s.machine for s in self.servers)

    @property
    def drained(self) -> list[Server]:
        return [s for s in self.servers if s.drain]


def standing(cluster: Cluster) -> Standing:
    """Nothing but the cluster where nothing is applied."""
    spec = _applied(cluster)
    if spec is None:
        return Standing(cluster, (), "", (), None)
    drains = {d.server: d for d in Drain.objects.filter(cluster=cluster, ended_at=None).select_related("started_by")}
    found = machines(cluster, [s.name for s in spec.real_servers])
    marked = cluster.changes.filter(params__has_key="day_two").select_related("author", "revision", "cluster__applied")
    sorry = " and ".join(str(a) for a in (spec.sorry_server.address, spec.sorry_server.address6) if a is not None)
    return Standing(
        cluster,
        tuple(Server(s, drains.get(s.name), found.get(s.name)) for s in spec.real_servers),
        sorry,
        tuple(Waiting(c, approvals.excuse(c)) for c in marked.filter(state__in=_WAITING).defer("plan")[:8]),
        _undoable(cluster),
    )


def _undoable(cluster: Cluster) -> ChangeRequest | None:
    """The day-two change whose revision is the one that is applied."""
    found = cluster.changes.filter(revision=cluster.applied, state=C.APPLIED, params__has_key="day_two").first()
    return found if found and rules.marked(found) else None


def _applied(cluster: Cluster) -> ClusterSpec | None:
    try:
        return from_json(cluster.applied.spec) if cluster.applied else None
    except SpecError:
        return None


def told(drain: Drain) -> str:
    """How far a drain is: '2 sessions, 1 transfer left'."""
    if drain.sessions_left is None:
        return "Nobody looked yet how many sessions are left."
    parts = [_many(drain.sessions_left, "session")]
    parts += [_many(drain.transfers_left, "transfer")] if drain.transfers_left else []
    return f"{', '.join(parts)} left"


def kept(drain: Drain) -> str:
    """Who may come back; '' if nobody."""
    if not drain.clients_left:
        return ""
    return f"{_many(drain.clients_left, 'client')} may come back: persistence keeps them on this server"


def _many(number: int | None, word: str) -> str:
    return f"{number or 0} {word}{'' if number == 1 else 's'}"


def past(cluster: Cluster) -> list[Drain]:
    """Drains that are over, the newest first."""
    return list(Drain.objects.filter(cluster=cluster).exclude(ended_at=None).select_related("started_by")[:12])
