"""From a run's threads to the database: events in batches, and the heartbeat, by one thread of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from lbftp.core.job import Event
from workers.errors import ClaimLost

FLUSH_SECONDS: Final = 0.15
BEAT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a run's claim is kept. `record` raises ClaimLost, `beat` says whether the claim still holds, `leave` ends
    what the relay's thread opened."""

    record: Callable[[Sequence[Event]], None]
    beat: Callable[[], bool]
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

    def check(self) -> None:
        """Raises ClaimLost if another worker has the run. Asks the database: a router is about to change."""
        if self._lost or not self._desk.beat():
            raise ClaimLost

    def _work(self) -> None:
        beaten = time.monotonic()
        try:
            while not (self._stopping and not self._waiting) and not self._lost:
                self._wake.wait(BEAT_SECONDS)
                self._wake.clear()
                self._flush()
                if time.monotonic() - beaten >= BEAT_SECONDS:
                    beaten = time.monotonic()
                    self._lost = not self._desk.beat()
                if not self._stopping:
                    # Lines come in bursts: what comes within this time goes to the database together.
                    time.sleep(FLUSH_SECONDS)
        except ClaimLost:
            self._lost = True
        finally:
            self._desk.leave()

    def _flush(self) -> None:
        with self._lock:
            events, self._waiting = self._waiting, []
        if events:
            self._desk.record(events)
