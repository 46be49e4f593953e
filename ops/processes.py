"""The processes of one site, known by a mark in their environment: a reused process id is never mistaken for ours."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

MARK = "LBFTP_STACK"


def marked(mark: str) -> list[int]:
    """Ids of the live processes that were started with LBFTP_STACK=mark, ascending. Zombies do not count."""
    line = f"{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and line in _environment(entry):
            found.append(int(entry.name))
    return sorted(found)


def end(mark: str, *, patience: float) -> None:
    """Ask the site's processes to end, wait `patience` seconds, then end them. Returns when none is left."""
    _signal(mark, signal.SIGTERM)
    if not gone(mark, patience):
        _signal(mark, signal.SIGKILL)
        gone(mark, 5)


def gone(mark: str, patience: float) -> bool:
    """Wait up to `patience` seconds until no process of the site is left."""
    deadline = time.monotonic() + patience
    while marked(mark):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _signal(mark: str, number: signal.Signals) -> None:
    for pid in marked(mark):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _environment(entry: Path) -> list[bytes]:
    """A process's environment as it was started; empty for zombies, kernel threads and other people's."""
    try:
        return (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return []
