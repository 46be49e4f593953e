"""The laboratory's own processes, recognised by the paths in their command lines and by nothing else."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

OURS = ("qemu-system-x86_64", "vde_switch")


def command_line(pid: int) -> list[str]:
    """The argv of a process; empty if it is gone or a zombie."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(word) for word in raw.split(b"\0") if word]


def using(folder: Path) -> list[int]:
    """Ids of our programs that name a path in the folder, ascending. The same question for `down` and for builds."""
    inside = f"{folder}{os.sep}"
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            argv = command_line(int(entry.name))
            if argv and Path(argv[0]).name in OURS and any(inside in word for word in argv[1:]):
                found.append(int(entry.name))
    return sorted(found)


def holding(pidfile: Path) -> int | None:
    """The id of our program that was started with this pid file, None if none runs (a reused id is not ours)."""
    return next((pid for pid in using(pidfile.parent) if str(pidfile) in command_line(pid)), None)


def stop(pid: int, patience: float = 10) -> None:
    """End the process and wait until it is gone. Machines are thrown away, so it is not asked first."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    wait_gone(pid, patience)


def wait_gone(pid: int, patience: float) -> None:
    """Wait until the process has let go of its files and ports, at most `patience` seconds."""
    deadline = time.monotonic() + patience
    while not _gone(pid) and time.monotonic() < deadline:
        time.sleep(0.02)


def _gone(pid: int) -> bool:
    """Whether nothing of the process is left but perhaps a zombie. (Files are closed by its last thread.)"""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:
        return True
    return state in {"Z", "X"} and threads == 1
