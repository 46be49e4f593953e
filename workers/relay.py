"""From a run's threads to the database: events in small batches by one thread, the heartbeat by another.

The heartbeat waits for no event: a machine that prints without an end must not make its run look dead.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Final

from lbftp.core.job import Event, Orders
from workers.budget import Budget
from workers.errors import ClaimLost, NotRecorded

FLUSH_SECONDS: Final = 0.15
BEAT_SECONDS: Final = 10.0
# Below the time after which another worker may claim a silent run.
PATIENCE_SECONDS: Final = 30.0
# Events of one transaction, and the time after one in which other writers have their turn.
BATCH: Final = 250
TURN_SECONDS: Final = 0.03


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a run's claim is kept. `record` raises ClaimLost, `beat` tells what people ask of the run, None if the
    claim is over; both raise NotRecorded while the database is away. `leave` ends what a thread of the relay opened."""

    record: Callable[[Sequence[Event]], None]
    beat: Callable[[], Orders | None]
    leave: Callable[[], None]


class Relay:
    """Collects events from any thread and records them in order, a few times a second; beats while it lives."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._waiting: deque[Event] = deque()
        self._budget = Budget(self._enqueue)
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._over = threading.Event()
        self._stopping = False
        self._lost = False
        self._extend = False
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for name, work in (("relay", self._work), ("heartbeat", self._beat_on))
        ]

    def __enter__(self) -> Relay:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Returns once everything is recorded; the heart beats until then."""
        self._budget.close()
        self._stopping = True
        self._wake.set()
        self._threads[0].join()
        self._over.set()
        self._threads[1].join()

    def emit(self, event: Event) -> None:
        self._budget.take(event)

    def _enqueue(self, event: Event) -> None:
        with self._lock:
            self._waiting.append(event)
        self._wake.set()

    def check(self) -> Orders:
        """What people ask of the run; raises ClaimLost if another worker has it. An extension is handed over once.

        Asks the database: a router is about to change.
        """
        orders = self._beat()
        with self._lock:
            extend, self._extend = self._extend, False
        return Orders(orders.cancel, extend, orders.confirm)

    def _beat(self) -> Orders:
        """A database that stays away counts as a lost claim: nobody could tell whose the router is."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not self._lost:
            try:
                orders = self._desk.beat()
                if orders is None:
                    break
                with self._lock:
                    self._extend = self._extend or orders.extend
                return orders
            except NotRecorded:
                if time.monotonic() > end:
                    break
                time.sleep(0.5)
        self._lost = True
        raise ClaimLost

    def _beat_on(self) -> None:
        try:
            while not self._over.wait(BEAT_SECONDS):
                self._beat()
        except ClaimLost:
            self._wake.set()
        finally:
            self._desk.leave()

    def _work(self) -> None:
        try:
            while not self._lost and not (self._stopping and not self._waiting):
                self._wake.wait(BEAT_SECONDS)
                self._wake.clear()
                self._record()
                if not self._stopping:
                    # Lines come in bursts: what comes within this time goes to the database together.
                    time.sleep(FLUSH_SECONDS)
        except ClaimLost:
            self._lost = True
        finally:
            self._desk.leave()

    def _record(self) -> None:
        """Records what waits, and keeps trying for a while: what routers said must not be lost to a locked database."""
        while not self._lost:
            with self._lock:
                events = list(islice(self._waiting, BATCH))
            if not events:
                return
            self._patiently(events)
            with self._lock:
                for _ in events:
                    self._waiting.popleft()
            time.sleep(TURN_SECONDS)

    def _patiently(self, events: Sequence[Event]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self._desk.record(events)
                return
            except NotRecorded:
                if time.monotonic() > end:
                    raise ClaimLost from None
                time.sleep(0.5)
