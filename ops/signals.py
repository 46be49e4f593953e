"""What an interrupt does to our long-running commands: one is enough, and the tidying up after it is left in peace."""

from __future__ import annotations

import ctypes
import os
import signal
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1


def interruptible() -> None:
    """From now on SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt, once; started by make, we also end with it.

    A shell starts background commands with SIGINT ignored, so the handler is set whatever was inherited.
    """
    for number in ENDING:
        signal.signal(number, _interrupt)
    if "MAKELEVEL" in os.environ:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt
