"""The soft end of a task: Celery's signal becomes an error of the run's own, with words, and takes the usual way back.

Celery's own exception could come anywhere, also in the middle of putting back, where the run would leave things behind.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from workers.report import Report

# What billiard's pool sends at the soft limit.
_SOFT: Final = signal.SIGUSR1


@contextmanager
def broken_off(report: Report) -> Iterator[None]:
    """In the block the soft end raises OutOfTime wherever the run is, but not while it puts back or confirms: that goes
    on, and is asked no more."""
    if threading.current_thread() is not threading.main_thread():
        # No signal comes here, and no limit either.
        yield
        return

    def end(_number: int, _frame: FrameType | None) -> None:
        report.out_of_time()

    before = signal.signal(_SOFT, end)
    try:
        yield
    finally:
        signal.signal(_SOFT, before)
