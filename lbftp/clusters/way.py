"""The way of a client's packets as a picture: three lanes, one line a hop. The template draws it inline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lbftp.core.path import Hop, Prediction

LANES: Final = (("Client", 46), ("Router", 170), ("Real server", 294))
WIDTH: Final = 340
_TOP: Final = 58
_STEP: Final = 30


@dataclass(frozen=True, slots=True)
class Step:
    """One hop: its number, where its dot is, the arrow that leads there, and what the list says beside it.

    `state`: ok, bad where the way stops, warn where it is not known. `minor`: nothing but an open filter.
    """

    number: int
    lane: int
    y: int
    arrow: str
    hop: Hop
    state: str

    @property
    def x(self) -> int:
        return LANES[self.lane][1]

    @property
    def text_y(self) -> int:
        return self.y + 4

    @property
    def place(self) -> str:
        """Where it is, without the machine: its lane says that."""
        return self.hop.where.partition(", ")[2] or self.hop.where

    @property
    def label(self) -> tuple[int, str, str]:
        """(x, anchor, text) of the place's name beside the dot."""
        text = self.place if len(self.place) <= _LONGEST else f"{self.place[: _LONGEST - 1]}…"
        return (self.x + 15, "start", text) if self.lane == 1 else (0, "", "")

    @property
    def minor(self) -> bool:
        return self.state == "ok" and not self.hop.carries and self.hop.by.startswith("policy ")

    @property
    def by(self) -> str:
        """What decides, where the sentence does not say it already."""
        return "" if self.hop.by in self.hop.what else self.hop.by


_LONGEST: Final = 24


@dataclass(frozen=True, slots=True)
class Picture:
    """`stop` is where the way ends, None where it goes through."""

    steps: tuple[Step, ...]
    height: int
    stop: Step | None

    @property
    def width(self) -> int:
        return WIDTH

    @property
    def lanes(self) -> tuple[tuple[str, int, int], ...]:
        """(name, x, left edge of its box)."""
        return tuple((name, x, x - 44) for name, x in LANES)


def picture(found: Prediction) -> Picture:
    steps: list[Step] = []
    for number, hop in enumerate(found.hops, 1):
        y, lane = _TOP + _STEP * (number - 1) + 14, _lane(hop)
        before = steps[-1] if steps else None
        arrow = f"M{before.x} {before.y}L{LANES[lane][1]} {y}" if before else ""
        steps.append(Step(number, lane, y, arrow, hop, _state(hop)))
    stop = steps[-1] if steps and steps[-1].state == "bad" else None
    return Picture(tuple(steps), _TOP + _STEP * len(steps) + 10, stop)


def _lane(hop: Hop) -> int:
    if hop.where.startswith("router"):
        return 1
    return 0 if hop.where == "client" else 2


def _state(hop: Hop) -> str:
    return {"ok": "ok", "unknown": "warn"}.get(hop.outcome, "bad")
