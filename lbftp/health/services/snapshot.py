"""An answer that many ask for at once and that is found out once: what strangers ask cannot make work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

Answer = TypeVar("Answer")

# An answer this many seconds old is given again; one that is being found out is waited for that long.
_FRESH: Final = 3.0
_WAIT: Final = 10.0


class Snapshot(Generic[Answer]):
    """Asks `find` at most every three seconds, in the thread of whoever comes first; the others get its answer."""

    def __init__(self, find: Callable[[], Answer]) -> None:
        self._find = find
        self._finding = threading.Lock()
        self._answer: Answer | None = None
        self._until = -_WAIT

    def get(self) -> Answer | None:
        """None if nobody found an answer in ten seconds. While one is being found the last one is given, unless it is
        too old to be true."""
        if time.monotonic() < self._until:
            return self._answer
        old_but_true = time.monotonic() < self._until + _WAIT
        if not self._finding.acquire(timeout=0 if old_but_true else _WAIT):
            return self._answer if old_but_true else None
        try:
            if time.monotonic() >= self._until:
                self._answer = self._find()
                self._until = time.monotonic() + _FRESH
            return self._answer
        finally:
            self._finding.release()

    def forget(self) -> None:
        """The next who asks finds out anew."""
        self._until = -_WAIT
