"""What all proofs share: the routers are this run's alone, and a guard on each puts it back if nobody confirms."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final, TypeVar

from lbftp.core import ours, program
from lbftp.core.durations import AWAY
from lbftp.core.durations import SETTLE as SETTLE_WAIT
from lbftp.core.findings import findings, master
from lbftp.core.job import Access, Job
from lbftp.core.observe import facts
from lbftp.core.observe.observed import Observed
from lbftp.core.program.disturbing import ADDRESSES
from lbftp.core.program.guard import Hold
from lbftp.core.spec import ClusterSpec
from lbftp.core.steps import Step
from workers import guard
from workers.errors import Cancelled, ClaimLost, ProofFailed, WorkError
from workers.observe import Pair, connected, look
from workers.outcome import Outcome
from workers.probe import in_words, prove
from workers.remote import Limits
from workers.report import PAIR, Report
from workers.restore import restore_one
from workers.rollout import Rollout
from workers.stepping import run_steps, titles

LOCK: Final = ("lock", "Take the router for this run", "checkpoint")
CHECKPOINT: Final = ("checkpoint", "Write down the way back", "checkpoint")
GUARD: Final = ("guard", "Arm the guard", "checkpoint")
SETTLE: Final = ("settle", "See that the pair is complete", "prove")
SESSIONS: Final = ("sessions", "Make FTP sessions through the VIP", "prove")
# VRRP needs three advertisements and a skew (RFC 5798, 6.1), health checks a round; then some for slow machines.
SETTLE_SECONDS: Final = SETTLE_WAIT
T = TypeVar("T")


def access_of(rollout: Rollout, name: str) -> Access:
    return next(a for a in rollout.job.routers if a.name == name)


def declare(
    rollout: Rollout, names: Sequence[str], guards: Sequence[str], after: Sequence[tuple[str, str, str]] = ()
) -> None:
    """Announces the steps of `names`, of which `guards` get a guard, then `after` for both together."""
    for name in names:
        steps, here = rollout.plan.router(name).steps, name in guards
        rollout.report.declare(name, [LOCK, CHECKPOINT, GUARD] if here else [LOCK])
        rollout.report.declare_steps(name, steps)
        if here:
            rollout.report.declare(name, [guard.CONFIRM])
    rollout.report.declare(PAIR, after)


@contextmanager
def taken(rollout: Rollout) -> Iterator[None]:
    """Every router of the pair is this run's alone in the block."""
    rollout.report.phase("checkpoint", "Take both routers")
    try:
        with connected(rollout.job.routers, rollout.limits) as pair:
            for access in rollout.job.routers:
                token = secrets.token_hex(8)
                text = program.take(rollout.hold, token)
                run_steps(rollout.report, pair[access.name], text, token, {LOCK[0]: LOCK[1]})
                rollout.taken.append(access.name)
        yield
    except ClaimLost:
        # Another worker has this run now, and puts back what it finds.
        rollout.taken.clear()
        raise
    finally:
        for name in rollout.taken:
            _let_go(rollout, name)


def _let_go(rollout: Rollout, name: str) -> None:
    try:
        with connected([access_of(rollout, name)], rollout.limits) as pair:
            pair[name].run(program.guard.give_up(rollout.hold, secrets.token_hex(8)))
    except WorkError as error:
        rollout.report.note("warning", f"{name} was not let go of: {error}")


@contextmanager
def guarded(rollout: Rollout, names: Sequence[str]) -> Iterator[None]:
    """A guard waits on each of `names` in the block. Those that are still in `touched` are confirmed at its end; after
    an error every one of them is put back, and the error says what came of that."""
    report = rollout.report
    try:
        with connected(rollout.job.routers, rollout.limits) as pair:
            for name in names:
                _arm(rollout, pair, name)
        rollout.extended = time.monotonic()
        report.on_extend = lambda: extend(rollout)
        yield
        if rollout.touched:
            report.cancellable = False
            with connected(rollout.job.routers, rollout.limits) as pair:
                guard.confirm(report, pair, rollout.hold, rollout.touched)
            rollout.touched.clear()
    except ClaimLost:
        raise
    except Exception as error:
        raise _put_back(rollout, error) from error
    finally:
        report.cancellable = True
        report.on_extend = lambda: None


def _arm(rollout: Rollout, pair: Pair, name: str) -> None:
    rollout.touched.append(name)
    token, steps = secrets.token_hex(8), rollout.plan.router(name).steps
    text = program.checkpoint(rollout.checkpoint, steps, token, rollout.hold)
    run_steps(rollout.report, pair[name], text, token, {s[0]: s[1] for s in (CHECKPOINT, GUARD)})
    rollout.report.checkpoint(name, rollout.checkpoint)
    rollout.report.guard(name, "armed", rollout.hold.seconds)


def extend(rollout: Rollout) -> None:
    """Every guard of this run starts anew."""
    with connected(rollout.job.routers, rollout.limits) as pair:
        guard.extend(rollout.report, pair, rollout.hold, rollout.touched)
    rollout.extended = time.monotonic()


def keep(rollout: Rollout) -> None:
    """Every guard starts anew if it has waited for a good part of its time; cancelled if somebody asked for that."""
    rollout.report.check()
    if rollout.touched and time.monotonic() - rollout.extended > rollout.hold.seconds / 4:
        extend(rollout)


def _put_back(rollout: Rollout, cause: Exception) -> WorkError:
    report = rollout.report
    report.cancellable = False
    report.phase("restore", "Put back what was there")
    report.note("error", str(cause))
    names = list(reversed(rollout.touched))
    failed = [n for n in names if restore_one(access_of(rollout, n), rollout.hold, report, rollout.limits) is None]
    rollout.touched.clear()
    if failed:
        command = ours.restore_command(rollout.checkpoint)
        return WorkError(
            f"{cause} Not everything could be put back on {', '.join(failed)}: run there as root: {command}"
        )
    kind = Cancelled if isinstance(cause, Cancelled) else WorkError
    again = " Propose it again." if isinstance(cause, WorkError) and cause.retry else ""
    return kind(f"{cause} What was there before was put back on {', '.join(names)}.{again}" if names else str(cause))


def do(rollout: Rollout, pair: Pair, name: str, *kinds: str) -> None:
    """Those of the router's steps that are of `kinds`, in their order, while its guard waits."""
    steps = [s for s in rollout.plan.router(name).steps if s.kind in kinds]
    if steps:
        held = rollout.hold if name in rollout.touched else None
        run(rollout, pair, name, steps, held)


def run(rollout: Rollout, pair: Pair, name: str, steps: Sequence[Step], held: Hold | None) -> None:
    token = secrets.token_hex(8)
    run_steps(rollout.report, pair[name], program.apply(steps, token, held), token, titles(steps))


def settled(rollout: Rollout, holder: str = "", seconds: int = SETTLE_SECONDS) -> Mapping[str, Observed]:
    """Looks over fresh connections until there is no finding and `holder` ('': anybody) has the VIP.

    Raises ProofFailed with what stays.
    """
    end = time.monotonic() + seconds + rollout.spec.vrrp.preempt_delay
    while True:
        keep(rollout)
        try:
            with connected(rollout.job.routers, rollout.limits) as pair:
                seen = look(pair)
            if not (reason := unsettled(rollout.spec, seen, holder)):
                return seen
        except WorkError as error:
            if not error.retry:
                raise
            reason = str(error)
        if time.monotonic() > end:
            raise ProofFailed(reason)
        time.sleep(1)


def unsettled(spec: ClusterSpec, seen: Mapping[str, Observed], holder: str) -> str:
    """What is missing, as a sentence; '' if nothing is."""
    left = [f for f in findings(spec, seen) if f.severity == "error"]
    if left:
        return f"{left[0].router or 'The pair'}: {left[0].what} (expected: {left[0].expected[:200]})."
    now = master(spec, seen)
    return f"{now} holds the VIP and not {holder}, as before." if holder and now != holder else ""


def sessions(rollout: Rollout) -> None:
    """FTP sessions of every promised kind, kept in the rollout. Raises ProofFailed if one fails."""
    probes, report = rollout.job.probes, rollout.report
    if not probes:
        report.step(PAIR, SESSIONS[:2], "skipped")
        report.note("warning", "No probe host is set for this cluster, so no FTP session was made.")
        return
    with report.doing(PAIR, *SESSIONS[:2]), connected(rollout.job.routers, rollout.limits) as pair:
        rollout.proof = prove(
            rollout.spec, probes, pair, report, rollout.limits, look=lambda: look(pair), run_id=rollout.job.run_id
        )
        if rollout.proof.failures or not rollout.proof.rows:
            raise ProofFailed(in_words(rollout.proof))


def await_holder(rollout: Rollout, pair: Pair, name: str, seconds: int = 30) -> float:
    """Seconds until `name` holds every floating address of the cluster. Raises ProofFailed if that does not come."""
    start = time.monotonic()
    wanted = {str(s.vip) for s in rollout.spec.sides} | {str(s.floating) for s in rollout.spec.sides if s.floating}
    while True:
        answer = pair[name].run(ADDRESSES).out.decode(errors="replace")
        held = {str(i.ip) for found in facts.addresses(answer).values() for i in found}
        if wanted <= held:
            return round(time.monotonic() - start, 1)
        if time.monotonic() - start > seconds:
            raise ProofFailed(f"{name} does not take over {', '.join(sorted(wanted - held))} within {seconds} s.")
        time.sleep(0.2)


def take_over(job: Job, spec: ClusterSpec, report: Report, limits: Limits) -> Outcome:
    """An earlier worker fell silent in this proof: nothing of it is kept, and keepalived runs on both routers."""
    report.cancellable = False
    report.phase("restore", "A worker fell silent in this run: put back what it left")
    names = [_patiently(partial(_put_one_back, job, access, report, limits)) for access in job.routers]
    touched = [name for name in names if name]
    kept = f"What it had changed on {', '.join(touched)} was put back" if touched else "It had changed nothing"
    seen, reason = _at_rest(job, spec, limits)
    text = f"A worker fell silent in this run. {kept}: propose it again."
    return Outcome("failed", f"{text} {reason}".strip(), {"master": master(spec, seen)})


def _at_rest(job: Job, spec: ClusterSpec, limits: Limits) -> tuple[Mapping[str, Observed], str]:
    """What both routers hold once nothing is missing, or after a while; and what is missing."""
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        seen = _patiently(partial(_look, job, limits))
        reason = unsettled(spec, seen, "")
        if not reason or time.monotonic() > end:
            return seen, reason
        time.sleep(1)


def _look(job: Job, limits: Limits) -> Mapping[str, Observed]:
    with connected(job.routers, limits) as pair:
        return look(pair)


def _patiently(work: Callable[[], T], seconds: int = AWAY) -> T:
    """A router that boots is waited for."""
    end = time.monotonic() + seconds
    while True:
        try:
            return work()
        except WorkError as error:
            if not error.retry or time.monotonic() > end:
                raise
            time.sleep(3)


def _put_one_back(job: Job, access: Access, report: Report, limits: Limits) -> str:
    """The router's name if there was something to put back. Twice is the same as once."""
    with connected([access], limits) as pair:
        found = guard.ask(pair[access.name])
        mine = [n for n in (found.armed, found.restored) if n.startswith(f"run-{job.run_id}-")]
        if not mine:
            hold = Hold(job.owner, str(job.run_id), f"run-{job.run_id}-none", job.guard)
            pair[access.name].run(program.guard.give_up(hold, secrets.token_hex(8)))
            return ""
    hold = Hold(job.owner, str(job.run_id), mine[0], job.guard)
    if found.restored != hold.checkpoint and restore_one(access, hold, report, limits) is None:
        command = ours.restore_command(hold.checkpoint)
        raise WorkError(
            f"A worker fell silent in this run, and {access.name} could not be put back: run there: {command}"
        )
    return access.name
