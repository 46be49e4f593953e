"""Runs pytest for `make test` and leaves no virtual router running behind it, however it ends."""

from __future__ import annotations

import signal
import subprocess
import sys

from ops.places import ROOT
from ops.signals import interruptible
from ops.watch import on_death

LAB_DOWN = (sys.executable, "-m", "lab", "down")


def main(arguments: list[str]) -> int:
    """pytest's own status; 130 if interrupted."""
    with on_death(LAB_DOWN):
        try:
            interruptible()
            return _pytest(arguments)
        except KeyboardInterrupt:
            return 130
        finally:
            subprocess.run(LAB_DOWN, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)


def _pytest(arguments: list[str]) -> int:
    # A session of its own: pytest gets one SIGINT, from us, whoever was interrupted; two would cut its tidying short.
    argv = ["setpriv", "--pdeathsig", "INT", "--", sys.executable, "-m", "pytest", *arguments]
    tests = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        return tests.wait()
    except KeyboardInterrupt:
        tests.send_signal(signal.SIGINT)
        try:
            tests.wait(60)
        finally:
            tests.kill()
        raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
