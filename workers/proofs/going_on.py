"""FTP sessions that go on while routers change places. This file's text is sent to a probe host and run there.

Python 3.7 or later does; it imports nothing of ours. Behind it stands a call of `main` with the job:

username, password, path, address, port, sources, held (how many sessions stay), seconds (the longest time), stop (a
file whose coming ends it earlier). One JSON line an event goes to standard output:

    kind 'short': a session from log-in to log-out ended: ok, seconds, message
    kind 'held', 'transfer': one that stays: name, state 'up', 'lost', 'kept'; message; bytes so far. After a loss
        another one begins, with a name of its own
"""

from __future__ import annotations

import contextlib
import ftplib
import json
import pathlib
import sys
import threading
import time
from typing import Any

_PRINT = threading.Lock()
# Enough for a slow server, and for a SYN that is sent a third time (after 1 s and 3 s) while routers change places.
SHORT_TIMEOUT = 8.0
# More than that at a time would slow down what is measured.
_AT_A_TIME = 12
# A session whose packets nobody answers for so long is lost to its user.
HELD_TIMEOUT = 12.0
_BETWEEN = 0.5
# Slow on purpose: a transfer that is still going on when the routers change places.
_PIECE, _PAUSE = 2048, 0.05
# Lines of one answer; ftplib bounds the length of each.
_MOST_LINES = 200
_MOST_TOLD = 300
# An address that is none is a failed session as well.
_ERRORS: tuple[type[Exception], ...] = (*ftplib.all_errors, ValueError, OverflowError)


class Ftp(ftplib.FTP):  # plain FTP is what every cluster promises, and what is tried here
    """A client that does not wait for the end of an answer that has none."""

    lines = 0

    def getmultiline(self) -> str:
        self.lines = 0
        return super().getmultiline()

    def getline(self) -> str:
        self.lines += 1
        if self.lines > _MOST_LINES:
            raise ValueError("the server's answer has no end")
        return super().getline()


def login(job: dict[str, Any], source: str, seconds: float) -> ftplib.FTP:
    """A session that has logged in."""
    ftp = Ftp()
    ftp.connect(job["address"], job["port"], seconds, (source, 0) if source else None)
    ftp.login(job["username"], job["password"])
    return ftp


def tell(**row: Any) -> None:
    with _PRINT:
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()


def end(ftp: ftplib.FTP) -> None:
    with contextlib.suppress(*_ERRORS):
        ftp.quit()
    ftp.close()


def short(job: dict[str, Any], source: str, room: threading.Semaphore) -> None:
    """Log in, ask where one is, log out; gives its place in `room` back."""
    start, message = time.monotonic(), ""
    try:
        ftp = login(job, source, SHORT_TIMEOUT)
        ftp.pwd()
        end(ftp)
    except _ERRORS as error:
        message = str(error)[:_MOST_TOLD] or type(error).__name__
    tell(kind="short", ok=not message, seconds=round(time.monotonic() - start, 3), message=message)
    room.release()


def held(job: dict[str, Any], source: str, name: str, over: threading.Event) -> None:
    """A session that stays and says something each second."""
    there = False
    try:
        ftp = login(job, source, HELD_TIMEOUT)
        there = True
        tell(kind="held", name=name, state="up", message="", bytes=0)
        while not over.wait(1):
            ftp.voidcmd("NOOP")
        tell(kind="held", name=name, state="kept", message="", bytes=0)
        end(ftp)
    except _ERRORS as error:
        if there:
            tell(kind="held", name=name, state="lost", message=str(error)[:_MOST_TOLD] or type(error).__name__, bytes=0)


def transfer(job: dict[str, Any], source: str, name: str, over: threading.Event) -> None:
    """A session that fetches the file slowly, again and again. After the end it does not wait for the rest."""
    total, there = 0, False
    try:
        ftp = login(job, source, HELD_TIMEOUT)
        ftp.voidcmd("TYPE I")
        while not over.is_set():
            data = ftp.transfercmd(f"RETR {job['path']}")
            if not there:
                there = True
                tell(kind="transfer", name=name, state="up", message="", bytes=0)
            while piece := data.recv(_PIECE):
                total += len(piece)
                if over.wait(_PAUSE):
                    break
            data.close()
            if not over.is_set():
                ftp.voidresp()
        tell(kind="transfer", name=name, state="kept", message="", bytes=total)
        ftp.close()
    except _ERRORS as error:
        if there:
            tell(
                kind="transfer",
                name=name,
                state="lost",
                message=str(error)[:_MOST_TOLD] or type(error).__name__,
                bytes=total,
            )


def again(session: Any, job: dict[str, Any], source: str, name: str, over: threading.Event) -> None:
    """`session` anew after each loss, under another name each time: it is somebody who comes back."""
    number = 1
    while not over.is_set():
        session(job, source, name if number == 1 else f"{name} ({number})", over)
        number += 1
        over.wait(1)


def main(job: dict[str, Any]) -> None:
    stop, sources, over = pathlib.Path(job["stop"]), job["sources"] or [""], threading.Event()
    staying = [
        threading.Thread(target=again, args=(held, job, sources[n % len(sources)], f"session {n + 1}", over))
        for n in range(job["held"])
    ]
    staying.append(threading.Thread(target=again, args=(transfer, job, sources[-1], "transfer", over)))
    until, number, threads = time.monotonic() + job["seconds"], 0, list(staying)
    room = threading.Semaphore(_AT_A_TIME)
    for thread in staying:
        thread.start()
    while time.monotonic() < until and not stop.exists():
        thread = threading.Thread(target=short, args=(job, sources[number % len(sources)], room))
        room.acquire()
        thread.start()
        threads.append(thread)
        number += 1
        time.sleep(_BETWEEN)
    over.set()
    for thread in threads:
        thread.join(HELD_TIMEOUT + 5)
    with contextlib.suppress(OSError):
        stop.unlink()
