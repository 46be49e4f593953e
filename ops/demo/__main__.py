"""`python -m ops.demo [--exit]`: the lab, a site of its own, the main job, and then the site to look around in."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from ops.demo.report import Report, StepFailedError
from ops.places import ROOT, StackError
from ops.signals import interruptible
from ops.stack import Options, Stack, start
from ops.watch import on_death

if TYPE_CHECKING:
    from ops.demo.job import Job
    from ops.demo.scene import Scene

LAB_DOWN = (sys.executable, "-m", "lab", "down")
# The tick sends runs again that got lost, and claims due policies; a demonstration need not wait for it.
# The virtual routers are reached at the loopback.
SETTINGS = {"LBFTP_BEAT_TICK_SECONDS": "2", "LBFTP_ENROL_NETWORKS": "127.0.0.0/8"}


def main() -> int:
    """0 if every step passed, 1 if one failed, 130 if interrupted before the end of the job."""
    parser = argparse.ArgumentParser(prog="python -m ops.demo")
    parser.add_argument("--exit", action="store_true", help="end after the job instead of serving")
    leave = parser.parse_args().exit
    report = Report()
    with on_death(LAB_DOWN):
        try:
            interruptible()
            return _demonstrate(report, leave)
        except KeyboardInterrupt:
            print("\nlbftp: interrupted", flush=True)
            return 130
        finally:
            subprocess.run(LAB_DOWN, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)


def _demonstrate(report: Report, leave: bool) -> int:
    var = Path(os.environ.get("LBFTP_VAR") or ROOT / "var") / "demo"
    port = os.environ.get("LBFTP_PORT")
    report.title("Starting the laboratory and the site")
    # At the same time: loading the machines takes longest.
    lab = _lab_reset()
    try:
        stack = start(var, int(port) if port else None, Options(fresh=True, extra=SETTINGS))
    except StackError as error:
        lab.terminate()
        lab.wait()
        report.expect(False, "the site runs", str(error))
        return report.summary()
    with stack:
        report.expect(True, f"the site runs at {stack.base_url}: Redis, web, worker and beat under supervisor")
        status = lab.wait()
        if not report.expect(status == 0, "lab up: r1, r2, ftp1, ftp2 and client", f"status {status}"):
            return report.summary()
        return _job(stack, report, leave)


def _lab_reset() -> subprocess.Popen[bytes]:
    """Machines in their first state; its own words are shown."""
    argv = ["setpriv", "--pdeathsig", "TERM", "--", sys.executable, "-m", "lab", "reset"]
    return subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL)


def _job(stack: Stack, report: Report, leave: bool) -> int:
    os.environ.update(stack.env)
    import django

    django.setup()
    from lab import api
    from ops.demo import job as work
    from ops.demo import scene

    people = scene.people()
    job = work.Job(api.status(), stack.base_url, report, people)
    _attempt(job)
    status = report.summary()
    if not leave:
        _serve(stack, people)
    return status


def _attempt(job: Job) -> None:
    from ops.demo import job as work

    try:
        work.whole(job)
    except StepFailedError:
        job.report.say("what follows depends on it: stopped here")
    except Exception:  # noqa: BLE001  # anything unforeseen is a failure to be shown, and the tidying up must follow
        job.report.expect(False, "the demonstration itself broke", traceback.format_exc())


def _serve(stack: Stack, people: Scene) -> None:
    """Go on serving until interrupted; returns then, or if the site ended by itself."""
    print(f"\nLook around at {stack.base_url}\n")
    for name, password in people.passwords.items():
        print(f"  {name:6} {password}")
    print(f"\nLogs: {stack.place.log} · Routers: python -m lab ssh r1 · Ctrl-C ends everything", flush=True)
    try:
        while stack.alive():
            time.sleep(0.5)
    except KeyboardInterrupt:
        print("\nlbftp: stopping", flush=True)


if __name__ == "__main__":
    sys.exit(main())
