"""One claimed run from claim to end: leases, relay, the work itself, and what came of it into the database."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Final, TypeVar

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections, connections, transaction

from lbftp.changes.errors import LostClaim, ServiceError
from lbftp.changes.services import outcomes, runs
from lbftp.core import durations, secrecy
from lbftp.core.job import CHANGING, Event, Job, Orders
from lbftp.core.plan import to_json
from lbftp.core.spec import SpecError
from lbftp.database import AWAY
from lbftp.inventory import services as inventory
from workers.breaking_off import broken_off
from workers.errors import Cancelled, ClaimLost, HostKeyRefused, NotRecorded, OutOfTime, WorkError
from workers.kinds import KINDS
from workers.outcome import Outcome
from workers.relay import PATIENCE_SECONDS, Desk, Relay
from workers.remote import Limits
from workers.report import Report

LEASE_WAIT_SECONDS: Final = durations.LEASES

_AS_THEY_WERE: Final = (
    "No change of it is left on any machine. See which step was slow, look at that machine, then start it again."
)

Value = TypeVar("Value")

log = structlog.get_logger(__name__)


def run_claimed(run_id: int, *, hard: int | None = None) -> None:
    """Claims the run and does it; returns quietly if there is nothing to claim or the claim is lost on the way.

    `hard`: this process is killed after so many seconds (None: never). A run that may take longer by now is sent again.
    """
    if hard is not None and runs.outgrown(run_id=run_id, hard=hard):
        runs.send(run_id)
        return
    job = runs.claim(run_id=run_id, worker=f"{socket.gethostname()}:{os.getpid()}")
    if job is None:
        return
    with ExitStack() as learnt:
        _learn(learnt, job)
        try:
            with Relay(_desk(job)) as relay:
                report = Report(relay.emit, relay.check, job.seconds)
                with broken_off(report, 0 if job.kind in CHANGING else job.seconds):
                    state, outcome = _attempt(job, report, partial(_learn, learnt))
            _end(job, state, outcome)
        except (ClaimLost, LostClaim):
            log.warning("claim_lost", run=job.run_id, fence=job.fence)


def _learn(learnt: ExitStack, job: Job) -> None:
    """From here on no row or log line has a secret of this job, until all of it is written."""
    learnt.enter_context(secrecy.known(secrecy.of_job(job)))


def _desk(job: Job) -> Desk:
    def record(events: Sequence[Event]) -> None:
        try:
            runs.record(run_id=job.run_id, fence=job.fence, events=events)
        except LostClaim as error:
            raise ClaimLost from error
        except DatabaseError as error:
            close_old_connections()
            raise NotRecorded from error

    def beat() -> Orders | None:
        try:
            return runs.heartbeat(run_id=job.run_id, fence=job.fence)
        except DatabaseError as error:
            close_old_connections()
            raise NotRecorded from error

    return Desk(record, beat, connections.close_all)


def _patiently(act: Callable[[], Value]) -> Value:
    """What `act` returns, once the database answers. One that stays away counts as a lost claim, as in the relay."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return act()
        except AWAY as error:
            close_old_connections()
            if time.monotonic() > end:
                raise ClaimLost from error
            time.sleep(0.5)


def _attempt(job: Job, report: Report, learn: Callable[[Job], None]) -> tuple[str, Outcome]:
    """(run state, outcome). A WorkError is the world's fault: failed. Anything else is ours: errored, and logged."""
    limits = Limits(settings.SSH_CONNECT_TIMEOUT, settings.SSH_PROGRAM_TIMEOUT)
    try:
        if job.kind in CHANGING and _take_leases(job, report):
            job = _job_again(job)
            learn(job)
        outcome = KINDS[job.kind](job, report, limits)
    except HostKeyRefused as error:
        # Shown beside the confirmed one on the machine's page, as an alarm.
        return "failed", Outcome("failed", str(error), host_key=error.offered if job.target else "")
    except Cancelled as error:
        return "cancelled", Outcome("cancelled", str(error))
    except OutOfTime as error:
        # One that had changed something has been put back by now, and says that instead.
        return "failed", Outcome("failed", f"{error} {_AS_THEY_WERE}")
    except WorkError as error:
        return "failed", Outcome("failed", str(error))
    except ClaimLost:
        raise
    except Exception as error:
        log.exception("run_errored", run=job.run_id)
        text = f"lbftp itself failed ({type(error).__name__}: {error}). The worker's log has more; please report it."
        return "errored", Outcome("failed", text)
    return outcome.state, outcome


def _take_leases(job: Job, report: Report) -> bool:
    """Waits until no other run has one of the routers. Whether it had to wait."""
    names = [access.name for access in job.routers]
    take = partial(runs.take_leases, run_id=job.run_id, fence=job.fence, router_names=names)
    holders = partial(runs.holders, run_id=job.run_id, router_names=names)
    end = time.monotonic() + LEASE_WAIT_SECONDS
    told = ""
    while not _patiently(take):
        before = _patiently(holders) or told
        if time.monotonic() > end:
            raise WorkError(f"It waited {LEASE_WAIT_SECONDS} s for {before}, and touched nothing: start it again.")
        if before and before != told:
            report.phase("wait", f"Wait for {before}")
            told = before
        time.sleep(1)
        report.check()
    return bool(told)


def _job_again(job: Job) -> Job:
    """What the run before applied belongs to what this one has to look out for."""
    try:
        return _patiently(partial(runs.job_again, run_id=job.run_id, fence=job.fence))
    except LostClaim as error:
        raise ClaimLost from error
    except (ServiceError, SpecError) as error:
        raise WorkError(str(error)) from error


def _end(job: Job, state: str, outcome: Outcome) -> None:
    """A run ends, whatever machines gave it to keep: where that cannot be stored, with its sentence alone."""
    try:
        _patiently(partial(_finish, job, state, outcome))
    except (ClaimLost, LostClaim):
        raise
    except Exception as error:
        log.exception("outcome_not_stored", run=job.run_id)
        text = (
            f"{outcome.text[:500]} What it found could not be stored ({type(error).__name__}): the worker's log has "
            "more; please report it."
        )
        finish = partial(runs.finish, run_id=job.run_id, fence=job.fence, state=state, outcome=text, result={})
        _patiently(finish)


@transaction.atomic
def _finish(job: Job, state: str, outcome: Outcome) -> None:
    """What a kind of run leaves beside its outcome, and the end itself: all or nothing of it is kept."""
    run, fence = job.run_id, job.fence
    if plan := outcome.plan:
        problems = [p.to_json() for p in plan.warnings]
        outcomes.store_plan(run_id=run, fence=fence, plan=to_json(plan), digest=plan.digest, problems=problems)
    if outcome.refused:
        outcomes.refuse_plan(run_id=run, fence=fence, problems=[p.to_json() for p in outcome.refused])
    if plan := outcome.stale:
        outcomes.mark_stale(run_id=run, fence=fence, plan=to_json(plan), digest=plan.digest, reason=outcome.text)
    if outcome.host_key:
        inventory.store_offered_key(host_kind=job.target_kind, host_id=job.target_id, key=outcome.host_key)
    if outcome.facts is not None:
        inventory.store_facts(router_id=job.target_id, facts=outcome.facts)
    runs.finish(run_id=run, fence=fence, state=state, outcome=outcome.text, result=outcome.result)
