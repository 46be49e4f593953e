"""The plan of a way back: the inverse of every change since, merged for each file, chain and setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lbftp.core.observe.observed import Observed
from lbftp.core.plan import Plan, RouterPlan
from lbftp.core.problem import Problem
from lbftp.core.rollback import running
from lbftp.core.rollback.files import files
from lbftp.core.rollback.record import Record
from lbftp.core.rollback.way import ALREADY, MISSING, ONE_SIDED, UNKNOWN, Way
from lbftp.core.spec import ClusterSpec
from lbftp.core.steps import Step

KIND = "rollback"
# What an earlier run may have done and this knows the way back from, or that needs none.
_KNOWN = frozenset({
    "load-module", "unload-module", "reload-module", "set-sysctl", "load-rules", "load-table", "check-keepalived",
    "write-file", "remove-file", "await-group", "reload-keepalived", "add-service", "set-service", "set-server",
    "delete-server", "enable-unit", "disable-unit",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """Back to what was there before run `run` of this manager (`owner`). `spec` is applied now; `to` is the revision
    that was applied before that run, None for nothing. `chosen` has the run's checkpoint on each router that it
    changed; `others` are the other clusters of the pair."""

    spec: ClusterSpec
    to: ClusterSpec | None
    run: int
    owner: str
    chosen: Mapping[str, str] = field(default_factory=dict)
    others: Sequence[ClusterSpec] = ()


def roll_back(request: Request, observed: Mapping[str, Observed], records: Mapping[str, Sequence[Record]]) -> Plan:
    """The plan; what stands against it, and what is worth knowing, is in its warnings. `records` are of checkpoints
    whose change stands, on each router, in any order."""
    revision = request.to.digest if request.to else ""
    if differ := _routers_differ(request):
        return Plan(request.spec.name, revision, (), tuple(differ), KIND)
    ways = [_way(request, observed[name], records.get(name, ())) for name in sorted(observed)]
    problems = [p for way in ways for p in way.problems]
    plans = tuple(RouterPlan(w.router, tuple(w.steps), tuple(w.changes), ()) for w in ways)
    return Plan(request.spec.name, revision, plans, tuple(problems), KIND)


def _routers_differ(request: Request) -> list[Problem]:
    if request.to is None or {r.name for r in request.to.routers} == {r.name for r in request.spec.routers}:
        return []
    names = ", ".join(sorted(r.name for r in request.to.routers))
    reason = f"What was applied before run {request.run} was for other routers: {names}."
    return [Problem(UNKNOWN, "error", "routers", reason, "Propose that revision's values as a change instead.")]


def _way(request: Request, observed: Observed, records: Sequence[Record]) -> Way:
    newest = sorted(records, key=lambda r: r.number, reverse=True)
    first = _first(request, observed.router, newest)
    later = [r for r in newest if first is not None and r.number >= first]
    own = [r for r in later if r.cluster == request.spec.name and r.owner == request.owner]
    way = Way(request.spec, request.to, request.others, observed, own, later)
    _tell(request, way)
    if not any(p.severity == "error" for p in way.problems) and own:
        _fill(way)
    return way


def _first(request: Request, router: str, newest: Sequence[Record]) -> int | None:
    """Where the way back begins on this router: the run's own checkpoint, or the first one of a later run."""
    mine = [r for r in newest if r.cluster == request.spec.name and r.owner == request.owner]
    if router in request.chosen:
        return next((r.number for r in mine if r.name == request.chosen[router]), None)
    return min((r.number for r in mine if r.run > request.run), default=None)


def _tell(request: Request, way: Way) -> None:
    chosen = request.chosen.get(way.router, "")
    if chosen and not any(r.name == chosen for r in way.own):
        _tell_missing(way, chosen)
    elif not chosen:
        rest = "Later changes there are rolled back." if way.own else "It stays as it is."
        reason = f"run {request.run} changed nothing here, so there is no checkpoint of it. {rest}"
        way.problem(ONE_SIDED, reason, "", stops=False)
    for record in way.own:
        if odd := [s for s in record.steps if s.kind not in _KNOWN]:
            way.problem(UNKNOWN, f"«{odd[0].title}» of run {record.run} has no way back.", "Undo it by hand first.")


def _tell_missing(way: Way, chosen: str) -> None:
    state = next((c.state for c in way.observed.checkpoints if c.name == chosen), "")
    if state == "restored":
        reason = f"{chosen} was put back already, by its guard or by hand: its change does not stand here any more."
        way.problem(ALREADY, reason, "Comply to see how the router differs from what is applied.")
    elif state:
        way.problem(
            ALREADY, f"{chosen} was never confirmed, or kept no steps: it is no way back.", "Choose another one."
        )
    else:
        reason = f"the checkpoint {chosen} is not on this router any more."
        way.problem(MISSING, reason, "Choose a newer one, or propose the earlier values as a change.")


def _fill(way: Way) -> None:
    running.untouched(way)
    made = files(way)
    persisted = [s for s in made if s.phase == "persist"]
    keepalived = [s for s in made if s.params["path"].startswith("/etc/keepalived/")]
    boot = [s for s in made if s not in persisted and s not in keepalived]
    rules, kernel = running.rules(way), running.kernel(way)
    balanced: list[Step] = []
    if keepalived:
        balanced = [*running.check_keepalived(way, keepalived), *keepalived, running.reload_keepalived(way)]
    # To another revision as a change goes; to nothing the other way round: nobody is sent where no rule helps any more.
    way.steps += [*boot, *kernel, *rules, *balanced] if way.to else [*balanced, *rules, *boot, *kernel]
    way.steps += [*persisted, *running.units(way)]
