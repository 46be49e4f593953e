"""Where the laboratory keeps things, and the locks on those places."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
RECIPE = Path(__file__).resolve().parent / "recipe"


class LabError(RuntimeError):
    """The laboratory cannot do what was asked; the text says why and what to do."""


def cache_root() -> Path:
    """The folder shared by all checkouts: ${LBFTP_CACHE:-${XDG_CACHE_HOME:-~/.cache}/lbftp}/lab."""
    given = os.environ.get("LBFTP_CACHE")
    if given:
        return Path(given).expanduser().resolve() / "lab"
    xdg = os.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path.home() / ".cache").resolve() / "lbftp" / "lab"


def run_folder() -> Path:
    """This checkout's folder of the running laboratory: ${LBFTP_LAB_DIR:-var/lab}, relative to the repository."""
    return (REPOSITORY / os.environ.get("LBFTP_LAB_DIR", "var/lab")).resolve()


class SnapshotBrokenError(LabError):
    """A saved machine could not be brought back to life."""


@contextmanager
def locked(path: Path, *, wait: bool = True, on_wait: Callable[[], None] = lambda: None) -> Iterator[bool]:
    """Hold the file's lock. If somebody has it: calls `on_wait` and waits, or yields False if `wait` is off.

    A killed holder's lock is free at once (flock).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                yield False
                return
            on_wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield True
