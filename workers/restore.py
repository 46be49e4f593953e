"""Putting a router back to a checkpoint that lies on its own disk."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from lbftp.core import program
from lbftp.core.job import Access, Job
from lbftp.core.observe.observed import Observed
from workers.errors import WorkError
from workers.observe import connected, look
from workers.remote import Limits
from workers.report import Report
from workers.stepping import run_steps

_STEP: Final = ("restore", "Put back what was there")

Restore = Callable[[str, str], str]


def restore_one(access: Access, restore: Restore, checkpoint: str, report: Report, limits: Limits) -> Observed | None:
    """What the router holds after `restore(checkpoint, token)` ran there; None if that failed (and was reported)."""
    report.declare(access.name, [(*_STEP, "restore")])
    token = secrets.token_hex(8)
    try:
        with connected([access], limits) as pair:
            run_steps(report, pair[access.name], restore(checkpoint, token), token, {_STEP[0]: _STEP[1]})
            return look(pair)[access.name]
    except WorkError as error:
        report.failed(access.name, _STEP, str(error))
        return None


def put_back_leftover(job: Job, report: Report, limits: Limits) -> str:
    """An earlier worker died in this run: what it changed is put back from its checkpoints. Says what came of it."""
    report.phase("restore", "A worker died in this run: put back what it changed")
    failed = [
        access.name
        for access in job.routers
        if restore_one(access, program.run_leftover_restore, f"run-{job.run_id}", report, limits) is None
    ]
    if failed:
        command = f"sh {program.CHECKPOINTS}/run-{job.run_id}-*/restore"
        return f"A worker died in this run, and {', '.join(failed)} could not be put back: run there as root: {command}"
    return "A worker died in this run. What it had changed was put back: propose the change again."
