"""Faults one after the other on the same routers, as they come in life: each next apply begins with what the last fault left.

A chain ends with a whole apply. Nothing is put right by hand in between, so that its success says of every fault in the
chain that the next apply works; until then none of their rows is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from tests.faults import series
from tests.faults.conftest import fresh
from tests.faults.judging import Held, held, judge, rest, retried
from tests.workers.conftest import Bench

EITHER: Final = frozenset({"old", "new"})
# So many faults before the apply that has to work.
LENGTH: Final = 8


@dataclass(slots=True)
class Case:
    """The one that runs: `before` is what the routers held, `start` when the apply began. `row` is filled in on the way."""

    bench: Bench
    row: series.Row
    before: Held
    start: float = field(default_factory=time.monotonic)

    def begins(self) -> None:
        """What was done to the routers until now belongs to what they hold before the apply."""
        self.before, self.start = held(self.bench), time.monotonic()

    def ended(self, state: str, said: str) -> None:
        """The run's end."""
        self.row = replace(self.row, run=state, said=said)


def works(bench: Bench) -> None:
    """The next apply of the guide's cluster."""
    outcome = retried(bench)
    assert outcome.state == "succeeded", outcome.text


@dataclass(slots=True)
class Chain:
    """`again` is the whole apply, which raises if it does not work. `turn` counts beginnings, with boots among them."""

    again: Callable[[Bench], None] = works
    turn: int = 0
    _bench: Bench | None = None
    _first: Held | None = None
    _before: Held | None = None
    _waiting: list[series.Row] = field(default_factory=list)

    @contextmanager
    def case(
        self,
        when: str,
        fault: str,
        *,
        booted: bool = False,
        ends: frozenset[str] = EITHER,
        mended: Callable[[Bench], None] | None = None,
    ) -> Iterator[Case]:
        """Around the run. At its end the routers are judged, and may hold what `ends` names; then `mended` is done. The row
        of a case that fails is written at once."""
        bench, before = self._begun()
        case = Case(bench, series.Row(when, fault), before)
        try:
            yield case
            self._judged(case, booted=booted)
            assert case.row.state in ends, case.row.said
            if mended is not None:
                mended(bench)
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"[:500]
            series.write(replace(case.row, seconds=round(time.monotonic() - case.start), error=text))
            self._bench, self._waiting = None, []
            raise
        self._waiting.append(case.row)
        if case.row.state == "new" or len(self._waiting) >= LENGTH or not self._as_at_first():
            self.close()

    def close(self) -> None:
        """The next apply works, whatever came before it."""
        bench, rows = self._bench, self._waiting
        self._bench, self._waiting = None, []
        if bench is None or not rows:
            return
        try:
            self.again(bench)
        except BaseException as error:
            for row in rows:
                series.write(replace(row, error=f"the next apply after these {len(rows)}: {error}"[:500]))
            raise
        for row in rows:
            series.write(replace(row, again=True))

    def _begun(self) -> tuple[Bench, Held]:
        if self._bench is None or self._before is None:
            self._bench = fresh()
            self._first = self._before = held(self._bench)
            self.turn += 1
        return self._bench, self._before

    def _judged(self, case: Case, *, booted: bool) -> None:
        observed = rest(case.bench)
        seconds = round(time.monotonic() - case.start)
        state, now = judge(case.bench, case.before, observed, booted=booted)
        case.row = replace(case.row, seconds=seconds, state=state)
        assert (case.row.run == "succeeded") == (state == "new"), (case.row.run, case.row.said, state)
        self._before = now
        self.turn += booted

    def _as_at_first(self) -> bool:
        """Whether the next roll-out has the same steps: a module that is still in use has none."""
        return self._before is not None and self._first is not None and self._before.modules == self._first.modules
