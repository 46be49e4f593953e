"""A run as people see it, folded from its events. Pure: the page, its live update and the command line show the same.

Reading from the first event or going on from the last one seen gives equal views; events are never edited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from lbftp.changes.sessions_of_run import Session, TableRow, reasons, servers, table

_OVER: Final = ("done", "failed", "skipped", "stopped")
# What is kept of one step's output for the page; the events keep all of it.
_OUTPUT_LINES: Final = 2000


class EventLike(Protocol):
    """What `core.job.Event` and the row `RunEvent` have in common."""

    @property
    def kind(self) -> str: ...
    @property
    def router(self) -> str: ...
    @property
    def data(self) -> dict[str, Any]: ...


@dataclass(slots=True)
class Step:
    """`state`: waiting, started, done, failed, skipped, or stopped because a person cancelled the run. `output` is the
    router's own words, line by line."""

    id: str
    title: str
    phase: str = ""
    state: str = "waiting"
    seconds: float | None = None
    message: str = ""
    output: list[str] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return self.state in _OVER


@dataclass(frozen=True, slots=True)
class Guard:
    """A router's own guard. `state`: armed, extended, confirmed or restored; `until` is None where it waits no more."""

    state: str
    seconds: int
    until: datetime | None

    @property
    def waits(self) -> bool:
        return self.until is not None


@dataclass(slots=True)
class Lane:
    """One router's steps, in the order in which they were announced. `output` belongs to none of the steps.
    `checkpoint` is the name of the way back on the router, '' while there is none."""

    router: str
    steps: list[Step] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    guard: Guard | None = None
    checkpoint: str = ""

    def step(self, step_id: str, title: str = "", phase: str = "") -> Step:
        """The step `step_id`; one that was never announced is added at the end."""
        for step in self.steps:
            if step.id == step_id:
                return step
        self.steps.append(Step(step_id, title or step_id, phase))
        return self.steps[-1]


@dataclass(frozen=True, slots=True)
class Phase:
    name: str
    title: str


@dataclass(slots=True)
class RunView:
    """Everything there is to show. `last_seq` is 0 for events without a number; `end` is {} until the run is over."""

    phases: list[Phase] = field(default_factory=list)
    lanes: list[Lane] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    unseen: list[dict[str, Any]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    end: dict[str, Any] = field(default_factory=dict)
    last_seq: int = 0

    def lane(self, router: str) -> Lane:
        """The lane of `router`, made at its first event."""
        for lane in self.lanes:
            if lane.router == router:
                return lane
        self.lanes.append(Lane(router))
        return self.lanes[-1]

    @property
    def phase(self) -> Phase | None:
        """The phase that goes on, or the last one."""
        return self.phases[-1] if self.phases else None

    @property
    def percent(self) -> int:
        """0 to 100; 100 only at the end of a run that succeeded."""
        if self.end.get("state") == "succeeded":
            return 100
        steps = [step for lane in self.lanes for step in lane.steps]
        return min(99, 100 * sum(s.over for s in steps) // len(steps)) if steps else 0

    @property
    def failed_steps(self) -> list[tuple[str, Step]]:
        return [(lane.router, step) for lane in self.lanes for step in lane.steps if step.state == "failed"]

    @property
    def real_servers(self) -> list[str]:
        return servers(self.sessions, self.unseen)

    @property
    def places(self) -> list[str]:
        """Where sessions were made from."""
        return sorted({s.place for s in self.sessions if s.place})

    @property
    def uploads(self) -> bool:
        """Whether sessions put files on the servers."""
        return any(s.uploaded for s in self.sessions)

    @property
    def reasons(self) -> list[tuple[str, list[str], str]]:
        return reasons(self.unseen)

    @property
    def table(self) -> list[TableRow]:
        return table(self.sessions, self.unseen)


def fold(events: Iterable[EventLike], view: RunView | None = None) -> RunView:
    """The view after `events`, in their order. With `view`, goes on from there (and changes it)."""
    view = view or RunView()
    for event in events:
        if act := _FOLD.get(event.kind):
            act(view, event.router, event.data)
        view.last_seq = getattr(event, "seq", 0)
    return view


def _phase(view: RunView, _router: str, data: dict[str, Any]) -> None:
    view.phases.append(Phase(data["name"], data.get("title") or data["name"]))


def _steps(view: RunView, _router: str, data: dict[str, Any]) -> None:
    for item in data["steps"]:
        view.lane(item["router"]).step(item["id"], item.get("title", ""), item.get("phase", ""))


def _step(view: RunView, router: str, data: dict[str, Any]) -> None:
    step = view.lane(router).step(data["id"], data.get("title", ""))
    step.state, step.seconds = data["state"], data.get("seconds")
    step.message = data.get("message") or ""


def _output(view: RunView, router: str, data: dict[str, Any]) -> None:
    lane = view.lane(router)
    lines = lane.step(data["step"]).output if data.get("step") else lane.output
    lines += str(data["text"]).splitlines()
    del lines[:-_OUTPUT_LINES]


def _session(view: RunView, _router: str, data: dict[str, Any]) -> None:
    view.sessions.append(Session(data))


def _unseen(view: RunView, _router: str, data: dict[str, Any]) -> None:
    view.unseen.append(data)


def _finding(view: RunView, router: str, data: dict[str, Any]) -> None:
    """A finding told again (now repaired) takes the place of the first telling."""
    new = {**data, "router": router}
    for place, old in enumerate(view.findings):
        if all(old.get(k) == new.get(k) for k in ("code", "router", "what")):
            view.findings[place] = new
            return
    view.findings.append(new)


def _note(view: RunView, router: str, data: dict[str, Any]) -> None:
    view.notes.append({**data, "router": router})


def _guard(view: RunView, router: str, data: dict[str, Any]) -> None:
    until = datetime.fromisoformat(data["until"]) if data.get("until") else None
    view.lane(router).guard = Guard(data["state"], int(data.get("seconds") or 0), until)


def _checkpoint(view: RunView, router: str, data: dict[str, Any]) -> None:
    view.lane(router).checkpoint = data["name"]


def _end(view: RunView, _router: str, data: dict[str, Any]) -> None:
    view.end = dict(data)


_FOLD: Final[dict[str, Callable[[RunView, str, dict[str, Any]], None]]] = {
    "phase": _phase,
    "steps": _steps,
    "step": _step,
    "output": _output,
    "session": _session,
    "unseen": _unseen,
    "finding": _finding,
    "note": _note,
    "guard": _guard,
    "checkpoint": _checkpoint,
    "end": _end,
}
