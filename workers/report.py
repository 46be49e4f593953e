"""How a run says what it does: events, in words that the run page knows. Where they go is the caller's business."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from lbftp.core.findings import Finding
from lbftp.core.job import Event, Orders
from lbftp.core.steps import Step
from workers.errors import Cancelled, OutOfTime

PAIR = ""


@dataclass(slots=True)
class Doing:
    """A step that goes on. `amiss`: what it showed to be wrong, though the run goes on; it then ends as failed."""

    amiss: str = ""


class Report:
    """`emit` takes an event; `ask` tells what people ask of the run (None: nothing) and raises ClaimLost if this claim
    is no longer valid.

    `cancellable`: to be set to False before anything that has to be done wholly, such as putting back or confirming;
    neither cancelling nor extending is heeded then.
    `on_extend` lets the routers' guards start anew; it may call `check`.
    `seconds`: after so long the run's time is over (0: never).
    """

    def __init__(self, emit: Callable[[Event], None], ask: Callable[[], Orders | None], seconds: int = 0) -> None:
        self._emit = emit
        self._ask = ask
        self._seconds = seconds
        self._began = time.monotonic()
        # What goes on: where, its title, since when.
        self._now = PAIR, "", self._began
        self.cancellable = True
        self.on_extend: Callable[[], None] = _nothing

    def check(self) -> Orders:
        """Asked before each step: what people ask of the run. Raises Cancelled if a person cancelled the run, OutOfTime
        if its time is over, ClaimLost if it is another's now."""
        orders = self._ask() or Orders()
        if orders.cancel and self.cancellable:
            raise Cancelled(orders.cancel)
        if self._seconds and time.monotonic() - self._began > self._seconds:
            self.out_of_time()
        if orders.extend and self.cancellable:
            self.on_extend()
        return orders

    def out_of_time(self) -> None:
        """Raises OutOfTime with what took how long, unless what goes on has to be done wholly."""
        if not self.cancellable:
            return
        router, title, since = self._now
        now = time.monotonic()
        where = f" on {router}" if router else ""
        slow = f" “{title}”{where} had been going on for {now - since:.0f} s." if title else ""
        raise OutOfTime(f"It took {now - self._began:.0f} s, and may take {self._seconds} s: it was ended.{slow}")

    def phase(self, name: str, title: str) -> None:
        self._emit(Event("phase", PAIR, {"name": name, "title": title}))

    def declare(self, router: str, steps: Sequence[tuple[str, str, str]]) -> None:
        """Steps (id, title, phase) that will come on `router`; the bar's total grows by them."""
        rows = [{"router": router, "id": i, "title": t, "phase": p} for i, t, p in steps]
        self._emit(Event("steps", router, {"steps": rows}))

    def declare_steps(self, router: str, steps: Sequence[Step]) -> None:
        self.declare(router, [(s.id, s.title, s.phase) for s in steps])

    def step(self, router: str, step: tuple[str, str], state: str, *, seconds: float | None = None) -> None:
        """The step (id, title) came to a state: started, done, skipped or stopped."""
        self._step(router, step, {"state": state, "seconds": seconds, "message": ""})

    def failed(self, router: str, step: tuple[str, str], message: str, *, seconds: float | None = None) -> None:
        self._step(router, step, {"state": "failed", "seconds": seconds, "message": message})

    def _step(self, router: str, step: tuple[str, str], data: dict[str, Any]) -> None:
        if data["state"] == "started":
            self._now = router, step[1], time.monotonic()
        self._emit(Event("step", router, {"id": step[0], "title": step[1], **data}))

    @contextmanager
    def doing(self, router: str, id_: str, title: str) -> Iterator[Doing]:
        """A step of our own: started now; done, failed or (cancelled) stopped with its time when the block ends."""
        self.check()
        start = time.monotonic()
        self.step(router, (id_, title), "started")
        doing = Doing()
        try:
            yield doing
        except Cancelled:
            # Nothing is wrong with what a person ends.
            self.step(router, (id_, title), "stopped", seconds=_since(start))
            raise
        except Exception as error:
            self.failed(router, (id_, title), str(error), seconds=_since(start))
            raise
        if doing.amiss:
            self.failed(router, (id_, title), doing.amiss, seconds=_since(start))
        else:
            self.step(router, (id_, title), "done", seconds=_since(start))

    def output(self, router: str, step: str, text: str) -> None:
        self._emit(Event("output", router, {"step": step, "text": text}))

    def session(self, row: dict[str, Any]) -> None:
        self._emit(Event("session", PAIR, row))

    def unseen(self, row: dict[str, Any]) -> None:
        """A real server that no session of a kind reached (lbftp.core.reach.Unseen)."""
        self._emit(Event("unseen", PAIR, row))

    def finding(self, finding: Finding, *, repaired: bool = False) -> None:
        self._emit(Event("finding", finding.router, {**finding.to_json(), "repaired": repaired}))

    def guard(self, router: str, state: Literal["armed", "extended", "confirmed", "restored"], seconds: int) -> None:
        """A router's guard came to a state; `seconds` until it puts back what was there, 0 where it no longer waits."""
        self._emit(Event("guard", router, {"state": state, "seconds": seconds}))

    def checkpoint(self, router: str, name: str) -> None:
        """The way back lies on the router under this name."""
        self._emit(Event("checkpoint", router, {"name": name}))

    def note(self, level: Literal["info", "warning", "error"], text: str) -> None:
        self._emit(Event("note", PAIR, {"level": level, "text": text}))


def _nothing() -> None:
    """No guard waits yet."""


def _since(start: float) -> float:
    return round(time.monotonic() - start, 2)
