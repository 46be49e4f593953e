"""The soft end of a task: Celery's signal becomes an error of the run's own, with words, and takes the usual way back.

Celery's own exception could come anywhere, also in the middle of putting back, where the run would leave things behind.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from workers.report import Report

# What billiard's pool sends at the soft limit.
_SOFT: Final = signal.SIGUSR1
_AGAIN_SECONDS: Final = 3.0


@contextmanager
def broken_off(report: Report, seconds: int = 0) -> Iterator[None]:
    """In the block the soft end raises OutOfTime wherever the run is, but not while it puts back or confirms: that goes
    on, and is asked no more.

    `seconds`: then the signal comes from here as well (0: never), and again until the run heeds it: it may come while
    the run waits for a thread to end. Only for runs that change nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        # No signal comes here, and no limit either.
        yield
        return

    def end(_number: int, _frame: FrameType | None) -> None:
        report.out_of_time()

    before, over = signal.signal(_SOFT, end), threading.Event()

    def remind() -> None:
        wait = float(seconds)
        while not over.wait(wait):
            os.kill(os.getpid(), _SOFT)
            wait = _AGAIN_SECONDS

    reminder = threading.Thread(target=remind, name="time-limit", daemon=True)
    if seconds:
        reminder.start()
    try:
        yield
    finally:
        report.cancellable = False
        over.set()
        if seconds:
            reminder.join()
        signal.signal(_SOFT, before)
