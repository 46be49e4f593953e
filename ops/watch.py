"""Something to be done if this process dies before it could do it itself, SIGKILL included.

A watcher process waits on a pipe whose other end only we hold: its closing without a word means that we are gone.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ops.places import ROOT

_RELEASED = b"released"


@contextmanager
def on_death(argv: Sequence[str]) -> Iterator[None]:
    """While inside, `argv` is run by somebody else should this process be killed. Leaving releases the watcher."""
    watcher = subprocess.Popen(
        [sys.executable, "-m", "ops.watch", *argv],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        watcher.communicate(_RELEASED)


def main(argv: list[str]) -> int:
    """The watcher: 0 if released, else the status of what it ran."""
    if sys.stdin.buffer.read() == _RELEASED:
        return 0
    return subprocess.run(argv, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
