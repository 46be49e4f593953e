"""From a run's threads to the database: events in batches, and the heartbeat, by one thread of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from lbftp.core.job import Event, Orders
from workers.errors import ClaimLost, NotRecorded

FLUSH_SECONDS: Final = 0.15
BEAT_SECONDS: Final = 10.0
# Below the time after which another worker may claim a silent run.
PATIENCE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a run's claim is kept. `record` raises ClaimLost, `beat` tells what people ask of the run, None if the
    claim is over; both raise NotRecorded while the database is away. `leave` ends what the relay's thread opened."""

    record: Callable[[Sequence[Event]], None]
    beat: Callable[[], Orders | None]
    leave: Callable[[], None]


class Relay:
    """Collects events from any thread and records them in order, a few times a second; beats while it lives."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._waiting: list[Event] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._lost = False
        self._extend = False
        self._thread = threading.Thread(target=self._work, name="relay", daemon=True)

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True
        self._wake.set()
        self._thread.join()

    def emit(self, event: Event) -> None:
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

    def _work(self) -> None:
        beaten = time.monotonic()
        try:
            while not self._lost and not (self._stopping and not self._waiting):
                self._wake.wait(BEAT_SECONDS)
                self._wake.clear()
                self._record()
                if time.monotonic() - beaten >= BEAT_SECONDS:
                    beaten = time.monotonic()
                    self._beat()
                if not self._stopping:
                    # Lines come in bursts: what comes within this time goes to the database together.
                    time.sleep(FLUSH_SECONDS)
        except ClaimLost:
            self._lost = True
        finally:
            self._desk.leave()

    def _record(self) -> None:
        """Records what waits, and keeps trying for a while: what routers said must not be lost to a locked database."""
        with self._lock:
            events = list(self._waiting)
        end = time.monotonic() + PATIENCE_SECONDS
        while events:
            try:
                self._desk.record(events)
                break
            except NotRecorded:
                if time.monotonic() > end:
                    raise ClaimLost from None
                time.sleep(0.5)
        with self._lock:
            del self._waiting[: len(events)]
