"""The worker's own machine: the only file that runs anything there. The probe's program alone does."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from lbftp.core.secrecy import hidden
from workers.errors import TimedOut, WorkError
from workers.reading import OnLine, Reading
from workers.remote import Answer

HERE = "the worker"


def run(program: str, *, seconds: int, on_line: OnLine) -> Answer:
    """Runs a Python program in a process of its own, with this worker's Python and nothing of its environment.

    The text goes in by standard input, so nothing of it is in a command line. Raises TimedOut, WorkError; of those
    TooMuch for an answer without an end.
    """
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen([sys.executable, "-I", "-"], stdin=pipe, stdout=pipe, stderr=pipe, env={})
    except OSError as error:
        raise WorkError(f"{HERE}: its own Python could not be started: {error}") from error
    reading, stopped = Reading(HERE, on_line), threading.Event()
    with process, _stopping(process, seconds, stopped):
        _give(process, program.encode("utf-8", "surrogateescape"))
        _read(process, reading)
    if stopped.is_set():
        raise TimedOut(f"{HERE}: the program did not end within {seconds} s and was stopped.")
    out, err = reading.end()
    return Answer(process.returncode, out, hidden(err))


@contextmanager
def _stopping(process: subprocess.Popen[bytes], seconds: int, stopped: threading.Event) -> Iterator[None]:
    """Ends the process when its time is over, and when nobody reads on."""

    def stop() -> None:
        stopped.set()
        process.kill()

    timer = threading.Timer(seconds, stop)
    timer.start()
    try:
        yield
    except BaseException:
        process.kill()
        raise
    finally:
        timer.cancel()


def _give(process: subprocess.Popen[bytes], program: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    try:
        process.stdin.write(program)
        process.stdin.close()
    except BrokenPipeError:
        # It ended before it had read everything: its exit code and words say why.
        with suppress(BrokenPipeError):
            process.stdin.close()


def _read(process: subprocess.Popen[bytes], reading: Reading) -> None:
    """Both streams side by side, until both have ended."""
    with selectors.DefaultSelector() as waiting:
        for pipe, take in ((process.stdout, reading.out), (process.stderr, reading.err)):
            assert pipe is not None  # noqa: S101 - they are pipes
            waiting.register(pipe, selectors.EVENT_READ, take)
        while waiting.get_map():
            for key, _ in waiting.select():
                data = os.read(key.fd, 65536)
                if data:
                    key.data(data)
                else:
                    waiting.unregister(key.fileobj)
