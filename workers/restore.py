"""Putting routers back to a checkpoint that lies on their own disks, and taking over from a worker that died."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Final, Literal

from lbftp.core import ours, program
from lbftp.core.findings import findings
from lbftp.core.job import Access, Job
from lbftp.core.observe.observed import Observed
from lbftp.core.program.guard import GuardState, Hold
from lbftp.core.spec import ClusterSpec
from workers.by_hand import Standstill, await_person
from workers.errors import Cancelled, WorkError
from workers.guard import ask, await_put_back, confirm, patience
from workers.observe import connected, look
from workers.outcome import Outcome
from workers.remote import Limits
from workers.report import Report
from workers.stepping import run_steps

Complete = Callable[[Mapping[str, Observed]], bool]
_STEP: Final = ("restore", "Put back what was there")
_BETWEEN_SECONDS: Final = 3
_UNKNOWN: Final = (
    "A worker fell silent in this run, and what it left on the routers is not known: their guards put back what it "
    f"changed and say so in `journalctl -t {ours.JOURNAL_TAG}` there. Apply the change again when they answer."
)


def restore_one(access: Access, hold: Hold, report: Report, limits: Limits, until: float = 0) -> Observed | None:
    """What the router holds after its checkpoint was put back; None if that failed (and was reported).

    A router that does not answer puts itself back: that is waited for `until` (0: guard.patience from then). One that
    answers again and has no guard of ours went away before it got one, and is asked again.
    """
    report.declare(access.name, [(*_STEP, "restore")])
    try:
        return _restored(access, hold, report, limits)
    except WorkError as error:
        report.failed(access.name, _STEP, str(error))
    back = await_put_back(access, hold, report, limits, until or patience(hold))
    try:
        if not back:
            return _restored(access, hold, report, limits)
        report.step(access.name, _STEP, "done")
        with connected([access], limits) as pair:
            return look(pair)[access.name]
    except WorkError as error:
        report.failed(access.name, _STEP, str(error))
        return None


def _restored(access: Access, hold: Hold, report: Report, limits: Limits) -> Observed:
    token = secrets.token_hex(8)
    with connected([access], limits) as pair:
        text = program.guard.put_back(hold.checkpoint, token)
        run_steps(report, pair[access.name], text, token, {_STEP[0]: _STEP[1]})
        report.guard(access.name, "restored", 0)
        return look(pair)[access.name]


def take_over(job: Job, spec: ClusterSpec, report: Report, limits: Limits, complete: Complete | None = None) -> Outcome:
    """An earlier worker went silent in this run. A change that is `complete` on all routers (without a test of its own:
    no finding is left) is kept, if need be by a person; any other is put back.

    Nothing is known of routers that do not answer but that they may be half changed: they are asked again until their
    guards must have put everything back.
    """
    report.cancellable = False
    report.phase("restore", "A worker fell silent in this run: see what it left")
    until, told = patience(_hold(job, f"run-{job.run_id}-none")), False
    while True:
        try:
            return _taken_over(job, spec, report, limits, complete)
        except WorkError as error:
            if not error.retry or time.monotonic() > until:
                raise type(error)(f"{error} {_UNKNOWN}") from error
            if not told:
                report.note("warning", f"{error} Trying again.")
                told = True
        report.check()
        time.sleep(_BETWEEN_SECONDS)


def _taken_over(job: Job, spec: ClusterSpec, report: Report, limits: Limits, complete: Complete | None) -> Outcome:
    with connected(job.routers, limits) as pair:
        guards = {name: ask(remote) for name, remote in pair.items()}
        observed = look(pair)
        waiting = {name: g.armed for name, g in guards.items() if _of(job, g.armed)}
        whole = complete(observed) if complete else _complete(spec, observed)
        if whole and not any(_of(job, g.restored) for g in guards.values()):
            return _kept(job, guards, waiting, report, limits)
        for name in guards.keys() - waiting.keys():
            hold = _hold(job, f"run-{job.run_id}-none")
            pair[name].run(program.guard.give_up(hold, secrets.token_hex(8)))
    return Outcome("failed", _put_back(job, guards, report, limits))


def _kept(
    job: Job, guards: Mapping[str, GuardState], waiting: Mapping[str, str], report: Report, limits: Limits
) -> Outcome:
    """Confirmed where it still waits; by hand if the cluster wants that, with the time that is left."""
    names = sorted(waiting)
    if names and job.by_hand:
        hold = _hold(job, waiting[names[0]])
        report.cancellable = True
        try:
            await_person(Standstill(job, hold, names, min(guards[n].left for n in names)), report, limits)
        except WorkError as error:
            report.cancellable = False
            state: Literal["failed", "cancelled"] = "cancelled" if isinstance(error, Cancelled) else "failed"
            return Outcome(state, f"{error} {_put_back(job, guards, report, limits)}")
    report.cancellable = False
    with connected([a for a in job.routers if a.name in names], limits) as pair:
        for name in names:
            confirm(report, pair, _hold(job, waiting[name]), [name])
    return Outcome("succeeded", "A worker fell silent in this run when the change was complete; it is kept.")


def _put_back(job: Job, guards: Mapping[str, GuardState], report: Report, limits: Limits) -> str:
    """Every router goes back to the run's checkpoint, also one that was confirmed already: both or neither."""
    names = [n for g in guards.values() for n in (g.armed, g.restored) if _of(job, n)]
    if not names:
        return "A worker fell silent in this run before it changed anything: apply the change again."
    hold = _hold(job, names[0])
    left = [a for a in job.routers if guards[a.name].restored != hold.checkpoint]
    until = patience(hold)
    failed = [a.name for a in left if restore_one(a, hold, report, limits, until) is None]
    if failed:
        command = ours.restore_command(hold.checkpoint)
        lost = f"{', '.join(failed)} could not be put back"
        return f"A worker fell silent in this run, and {lost}: run there as root: {command}"
    return "A worker fell silent in this run. What it had changed was put back: apply the change again."


def _complete(spec: ClusterSpec, observed: Mapping[str, Observed]) -> bool:
    return not [f for f in findings(spec, observed) if f.severity == "error"]


def _of(job: Job, checkpoint: str) -> bool:
    return checkpoint.startswith(f"run-{job.run_id}-")


def _hold(job: Job, checkpoint: str) -> Hold:
    return Hold(job.owner, str(job.run_id), checkpoint, job.guard)
