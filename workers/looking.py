"""Looking at both routers while something else goes on, such as FTP sessions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from lbftp.core.observe.observed import Observed
from workers.observe import Pair, look
from workers.report import PAIR, Report

Held = Mapping[str, Observed]


@dataclass(slots=True)
class Looking:
    """A look that goes on. `tell` and `result` belong to the thread that reports."""

    pool: ThreadPoolExecutor
    pair: Pair
    report: Report
    step: tuple[str, str]
    seconds: float = 0.0
    told: bool = False
    _future: Future[Held] = field(init=False)

    def __post_init__(self) -> None:
        self.report.step(PAIR, self.step, "started")
        self._future = self.pool.submit(self._look)

    def _look(self) -> Held:
        began = time.monotonic()
        try:
            return look(self.pair)
        finally:
            self.seconds = round(time.monotonic() - began, 2)

    def tell(self) -> None:
        """Reports the step's end once it has come."""
        if self.told or not self._future.done():
            return
        self.told = True
        if error := self._future.exception():
            self.report.failed(PAIR, self.step, str(error), seconds=self.seconds)
        else:
            self.report.step(PAIR, self.step, "done", seconds=self.seconds)

    def result(self) -> Held:
        """What the routers hold; waits for it. Raises WorkError."""
        try:
            return self._future.result()
        finally:
            self.tell()


@contextmanager
def looking_at(pair: Pair, report: Report, step: tuple[str, str]) -> Iterator[Looking]:
    """Begins to look at the pair; the look has ended when the block has."""
    report.check()
    with ThreadPoolExecutor(1) as pool:
        yield Looking(pool, pair, report, step)
