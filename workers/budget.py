"""How much of what machines print becomes a run's events: the beginning and the end of long outputs, and no more."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from lbftp.core.job import Event

# Lines of one step: so many at once, and so many of the last ones when it ends.
HEAD: Final = 1000
TAIL: Final = 500
# Characters of one line.
LONGEST: Final = 4000
# Of a whole run. What machines make is dropped from there on; what lbftp itself has to say is not.
MOST_EVENTS: Final = 10_000
MOST_CHARACTERS: Final = 8_000_000
_THEIRS: Final = frozenset({"output", "step", "session", "finding", "unseen"})
_FULL: Final = (
    "The machines told more than a run keeps, and the rest is left out here. What is done and how it ends is not "
    "touched by that."
)

Emit = Callable[[Event], None]


@dataclass(slots=True)
class _Step:
    """The output of one step on one router: how many lines came, and the last of those that were not passed on."""

    lines: int = 0
    kept: deque[Event] = field(default_factory=lambda: deque(maxlen=TAIL))


class Budget:
    """Passes events on in order, within bounds. From any thread; `emit` is called by one at a time."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._lock = threading.Lock()
        self._steps: dict[tuple[str, Any], _Step] = {}
        self._events = self._characters = 0
        self._full = False

    def take(self, event: Event) -> None:
        with self._lock:
            if event.kind == "output":
                self._output(event)
                return
            if event.kind == "step" and event.data.get("state") != "started":
                self._end((event.router, event.data.get("id")))
            self._pass(event)

    def close(self) -> None:
        """What is left of outputs whose step never ended."""
        with self._lock:
            for key in list(self._steps):
                self._end(key)

    def _output(self, event: Event) -> None:
        step = self._steps.setdefault((event.router, event.data.get("step")), _Step())
        step.lines += 1
        event = _shortened(event)
        if step.lines <= HEAD:
            self._pass(event)
            return
        if step.lines == HEAD + 1:
            self._pass(_words(event, f"… the last {TAIL} of the lines that follow are shown at the end of this step"))
        step.kept.append(event)

    def _end(self, key: tuple[str, Any]) -> None:
        step = self._steps.pop(key, None)
        if step is None or not step.kept:
            return
        if left_out := step.lines - HEAD - len(step.kept):
            self._pass(_words(step.kept[0], f"… {left_out} lines left out"))
        for event in step.kept:
            self._pass(event)

    def _pass(self, event: Event) -> None:
        if event.kind in _THEIRS:
            self._events += 1
            self._characters += sum(map(len, _texts(event.data)))
            if self._events > MOST_EVENTS or self._characters > MOST_CHARACTERS:
                self._refuse()
                return
        self._emit(event)

    def _refuse(self) -> None:
        if not self._full:
            self._full = True
            self._emit(Event("note", data={"level": "warning", "text": _FULL}))


def _shortened(event: Event) -> Event:
    text = str(event.data.get("text") or "")
    if len(text) <= LONGEST:
        return event
    return _words(event, f"{text[:LONGEST]} … {len(text) - LONGEST} characters left out")


def _words(event: Event, text: str) -> Event:
    return Event(event.kind, event.router, {**event.data, "text": text})


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
