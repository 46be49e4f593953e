"""What the page of a run shows beside its events: states of phases, since when a step goes on, what the run was for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from django.urls import reverse

from lbftp import database
from lbftp.changes.findings_of_run import Place, in_words, places
from lbftp.changes.models import Run
from lbftp.changes.phase_words import words
from lbftp.changes.services.claims import QUIET_AFTER
from lbftp.changes.view_of_run import Guard, Lane, Phase, RunView, Step, fold
from lbftp.core import ours
from lbftp.core.findings import drift
from lbftp.core.job import AWAIT
from lbftp.inventory.models import ProbeHost, Router, ServerHost
from lbftp.proofs import told

GOING_ON = (Run.State.QUEUED, Run.State.RUNNING)
# Phases that put back what was there; their presence changes the story that the page tells.
_BACK = ("restore",)
# Steps of a plan are called by when they run; the run's phases by what happens then.
_PHASE_OF_STEPS = {"run": "apply"}
_TITLES = {
    "observe": "Look",
    "compare": "Compare",
    "checkpoint": "Way back",
    "apply": "Running system",
    "prove": "Proof",
    "join": "Joined to its group",
    "persist": "Kept over a reboot",
    "look-again": "Look again",
    AWAIT: "A person confirms",
    "restore": "Put back",
    "repair": "Put right",
}

# What of a run's row changes while it goes on.
_GOES_ON = (
    "state", "outcome", "result", "attempts", "worker", "heartbeat_at", "started_at", "ended_at", "cancelled_at",
    "cancelled_by", "confirmed_at",
)  # fmt: skip
_ENDED: dict[str, str] = {
    Run.State.SUCCEEDED: "done",
    Run.State.FAILED: "failed",
    Run.State.ERRORED: "failed",
    Run.State.CANCELLED: "cancelled",
}


@dataclass(frozen=True, slots=True)
class PhaseOnPage:
    phase: Phase
    state: str


@dataclass(frozen=True, slots=True)
class StepOnPage:
    """`state`: waiting, running, done, failed, skipped, stopped. `since`: when a running one began."""

    step: Step
    state: str
    since: datetime | None

    @property
    def output(self) -> str:
        return "\n".join(self.step.output)


@dataclass(frozen=True, slots=True)
class LaneOnPage:
    """One router, or both together (`router` is ''). `groups` are its steps by phase, in order, each with a title.
    `by_hand` is the command that puts the router back, for its own console; '' while there is nothing to put back."""

    router: str
    role: str
    groups: list[tuple[str, list[StepOnPage]]]
    output: str
    done: int
    total: int
    guard: Guard | None
    by_hand: str


@dataclass(frozen=True, slots=True)
class RunPage:
    run: Run
    view: RunView
    phases: list[PhaseOnPage]
    lanes: list[LaneOnPage]

    @property
    def live(self) -> bool:
        return self.run.state in GOING_ON

    @property
    def guarded(self) -> bool:
        """Whether some router would put itself back."""
        return any(lane.guard is not None and lane.guard.waits for lane in self.lanes)

    @property
    def awaits(self) -> bool:
        """Whether it stands still until a person confirms it."""
        return self._phase == AWAIT and self.run.state == Run.State.RUNNING and self.run.confirmed_at is None

    @property
    def words(self) -> str:
        """What goes on now, in plain words."""
        return words(self.run, self._phase, silent=self.silent)

    @property
    def _phase(self) -> str:
        return self.view.phase.name if self.view.phase else ""

    @property
    def silent(self) -> bool:
        """Whether its worker has not been heard of for a while."""
        beat = self.run.heartbeat_at
        return self.run.state == Run.State.RUNNING and beat is not None and beat < database.now() - QUIET_AFTER

    @property
    def percent(self) -> int:
        return self.view.percent

    @property
    def restored(self) -> list[PhaseOnPage]:
        """The phases that put things back, for the page of a failed run."""
        return [p for p in self.phases if p.phase.name in _BACK]

    @property
    def drifted(self) -> bool:
        """Whether something was found that this run did not put right."""
        return bool(drift(self.view.findings))

    @property
    def numbers(self) -> told.Table | None:
        """What a proof measured."""
        return told.table(self.run.result)

    @property
    def places(self) -> list[Place]:
        return places(self.view.findings, self.run.cluster)

    @property
    def found_in_words(self) -> str:
        return in_words(self.view.findings)

    @property
    def servers(self) -> list[str]:
        return self.view.real_servers

    @property
    def loose(self) -> bool:
        """Whether some session failed before it reached a real server."""
        return any(row.failed for row in self.view.table)


def page(run: Run) -> RunPage:
    """The page as of the newest event. Events are folded once; but for a worker's silence nothing of it depends on
    when the page was opened.

    The row is read again after the events: with the last of them and a state from before it, a page would wait forever
    for what it already has.
    """
    events = list(run.events.all())
    run.refresh_from_db(fields=_GOES_ON)
    view = fold(events)
    started = {(e.router, e.data.get("id")): e.at for e in events if e.kind == "step" and e.data["state"] == "started"}
    # What both routers have together comes after what each has for itself.
    lanes = [_lane(run, lane, started) for lane in sorted(view.lanes, key=lambda lane: not lane.router)]
    return RunPage(run, view, _phases(run, view), lanes)


def subject(run: Run) -> tuple[str, str]:
    """What the run is about: a name and an address, '' where there is none any more."""
    if run.cluster:
        return run.cluster.name, reverse("clusters:cluster", args=[run.cluster.pk])
    if run.kind == Run.Kind.IMPORT:
        return _imported(run)
    model: Any = {"router": Router, "probehost": ProbeHost, "serverhost": ServerHost}.get(run.host_kind)
    host = model.objects.filter(pk=run.host_id, team=run.team_id).first() if model else None
    if host is None:
        return "a machine that was removed", ""
    return host.name, reverse(f"inventory:{'router' if run.host_kind == 'router' else 'probe-host'}", args=[host.pk])


def _imported(run: Run) -> tuple[str, str]:
    rows = list(Router.objects.filter(team=run.team_id, pk__in=run.router_ids).order_by("name"))
    if not rows:
        return "routers that were removed", ""
    return " and ".join(r.name for r in rows), reverse("inventory:router", args=[rows[0].pk])


def _lane(run: Run, lane: Lane, started: dict[tuple[str, Any], datetime]) -> LaneOnPage:
    groups = [
        (_TITLES.get(name, name), [_step(run, step, started.get((lane.router, step.id))) for step in steps])
        for name, steps in groupby(lane.steps, key=_phase_of)
    ]
    output, done = "\n".join(lane.output), sum(step.over for step in lane.steps)
    command = ours.servers_restore_command if run.kind == Run.Kind.SERVERS else ours.restore_command
    by_hand = command(lane.checkpoint) if lane.checkpoint else ""
    role, total = _role(run, lane.router), len(lane.steps)
    return LaneOnPage(lane.router, role, groups, output, done, total, lane.guard, by_hand)


def _phase_of(step: Step) -> str:
    return _PHASE_OF_STEPS.get(step.phase, step.phase)


def _phases(run: Run, view: RunView) -> list[PhaseOnPage]:
    """Each phase once, at its first mention: going back to one (the second router's apply) makes it the running one."""
    seen = list({phase.name: phase for phase in view.phases}.values())
    last = view.phases[-1].name if view.phases else ""
    now = _ENDED.get(run.state, "running")
    failing = {_phase_of(step) for _, step in view.failed_steps} if now == "failed" else set()
    states = {p.name: ("failed" if p.name in failing else "done") for p in seen}
    if now == "cancelled":
        states |= dict.fromkeys([p.name for p in seen if p.name not in _BACK][-1:], now)
    elif last and not (now == "failed" and last in _BACK):
        states[last] = now
    return [PhaseOnPage(phase, states[phase.name]) for phase in seen]


def _step(run: Run, step: Step, at: datetime | None) -> StepOnPage:
    state = {"started": "running"}.get(step.state, step.state)
    if run.state not in GOING_ON and state in ("running", "waiting"):
        state = "stopped"
    return StepOnPage(step, state, at if state == "running" else None)


def _role(run: Run, router: str) -> str:
    master = run.result.get("master") or (run.cluster.master if run.cluster else "")
    if not master or not run.cluster or not router or run.kind == Run.Kind.SERVERS:
        return ""
    return "MASTER" if master == router else "BACKUP"
