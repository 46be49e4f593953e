"""What an interrupt does to our long-running commands: one is enough, and the tidying up after it is left in peace."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from pathlib import Path
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
        make = os.getppid()
        # Asked here and not in the thread: a signal may come before that one's first look.
        if _catches_interrupts(make):
            threading.Thread(target=_follow, args=(make,), daemon=True).start()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _follow(parent: int) -> None:
    """A SIGINT sent to make alone is not passed on: make waits for us. But it gives its handler up, which shows."""
    while _catches_interrupts(parent):
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGINT)


def _catches_interrupts(pid: int) -> bool:
    """Whether the process has a handler for SIGINT (proc(5), SigCgt); False if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    caught = next((line.split()[1] for line in lines if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) >> (signal.SIGINT - 1) & 1)
