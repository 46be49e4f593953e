"""The worker's own machine: the only file that runs anything there. The probe's program alone does."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading

from workers.errors import TimedOut, WorkError
from workers.remote import Answer, OnLine

HERE = "the worker"


def run(program: str, *, seconds: int, on_line: OnLine) -> Answer:
    """Runs a Python program in a process of its own, with this worker's Python and nothing of its environment.

    The text goes in by standard input, so nothing of it is in a command line. Raises TimedOut, WorkError.
    """
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env={}
            )
        except OSError as error:
            raise WorkError(f"{HERE}: its own Python could not be started: {error}") from error
        out, timed_out = _exchange(process, program.encode("utf-8", "surrogateescape"), seconds, on_line)
        if timed_out:
            raise TimedOut(f"{HERE}: the program did not end within {seconds} s and was stopped.")
        errors.seek(0)
        return Answer(process.returncode, out, errors.read().decode("utf-8", "replace"))


def _exchange(process: subprocess.Popen[bytes], program: bytes, seconds: int, on_line: OnLine) -> tuple[bytes, bool]:
    """(standard output, whether it had to be stopped)."""
    stopped = threading.Event()

    def stop() -> None:
        stopped.set()
        process.kill()

    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - they are pipes
    timer = threading.Timer(seconds, stop)
    timer.start()
    found = bytearray()
    with process:
        try:
            process.stdin.write(program)
            process.stdin.close()
            for line in process.stdout:
                found += line
                on_line(line.decode("utf-8", "replace").rstrip("\n"))
        except BrokenPipeError:
            # It ended before it had read everything: its exit code and words say why.
            pass
        finally:
            timer.cancel()
    return bytes(found), stopped.is_set()
