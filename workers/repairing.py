"""Check and fix: what was found is put right in rounds, each a roll-out of its own, until a check finds nothing left.

One round may not be enough: keepalived compares files at a reload and does not see what somebody took out of the
kernel, so an entry is added past it, once its files are as they should be. A plan that was carried out before is not
carried out again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lbftp.core.checks.state import check
from lbftp.core.durations import LOOK_AGAIN, ROUNDS
from lbftp.core.findings import Finding, needs_repair
from lbftp.core.ftp.looks import of_a_machine
from lbftp.core.job import Job
from lbftp.core.observe.observed import Observed
from lbftp.core.plan import Plan, plan
from lbftp.core.problem import errors
from workers.changing import problems_of, state_of
from workers.errors import WorkError
from workers.observe import connected, look
from workers.outcome import Outcome, counted, named, problems, seen, spec_of
from workers.probe import Proof, in_words
from workers.remote import Limits
from workers.report import PAIR, Report
from workers.rollout import Rollout, roll_out

# A real server or the VIP may be away for a moment after a repair: keepalived's checks and VRRP take some seconds.
_PATIENCE_SECONDS: Final = LOOK_AGAIN
_LEFT: Final = ("left", "Check again: nothing is left", "look-again")

Key = tuple[str, str, str]


@dataclass(slots=True)
class Repair:
    """`found` is what there was before anything was done, `left` and `observed` what there is now."""

    job: Job
    report: Report
    limits: Limits
    found: Sequence[Finding]
    observed: Mapping[str, Observed]
    left: Sequence[Finding] = ()
    proof: Proof = field(default_factory=Proof)
    steps: int = 0

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What was found, and whether it is gone; then what came meanwhile."""
        now = {_key(f) for f in self.left}
        before = {_key(f) for f in self.found}
        rows = [{**f.to_json(), "repaired": _key(f) not in now} for f in self.found]
        return rows + [{**f.to_json(), "repaired": False} for f in self.left if _key(f) not in before]


def repaired(
    job: Job, found: Sequence[Finding], observed: Mapping[str, Observed], report: Report, limits: Limits
) -> Outcome:
    """Succeeded only if a check after the last round finds nothing. Otherwise the text says exactly what is left."""
    report.phase("repair", "Put right what was found")
    repair = Repair(job, report, limits, found, observed, left=found)
    error = _rounds(repair)
    for finding, row in zip(_all(repair), repair.rows, strict=True):
        report.finding(finding, repaired=row["repaired"])
    result = {**seen(spec_of(job), repair.observed), "findings": repair.rows, **repair.proof.to_json()}
    if error is not None:
        return Outcome(state_of(error), f"{error} {_tally(repair)}", result)
    if problems(repair.left):
        return Outcome("failed", _tally(repair), result)
    sessions = f" {in_words(repair.proof)}" if repair.proof.rows else ""
    return Outcome("succeeded", f"{_tally(repair)}{sessions}", result)


def _rounds(repair: Repair) -> WorkError | None:
    """What ended a round before its end; None if none did."""
    done: set[str] = set()
    spec = spec_of(repair.job)
    for _ in range(ROUNDS):
        made = plan(spec, repair.observed)
        if not needs_repair(repair.left) or made.empty or made.digest in done:
            break
        done.add(made.digest)
        try:
            _round(repair, made)
            _check_again(repair)
        except WorkError as error:
            return error
    return None


def _round(repair: Repair, made: Plan) -> None:
    """One roll-out. Raises WorkError with everything as it was before this round."""
    if stops := errors(problems_of(repair.job, repair.observed)):
        raise WorkError(f"{stops[0].reason} {stops[0].remedy}")
    repair.report.cancellable = True
    rollout = Rollout(repair.job, spec_of(repair.job), made, repair.observed, repair.report, repair.limits)
    roll_out(rollout)
    repair.observed, repair.proof = rollout.after, rollout.proof
    repair.steps += sum(len(r.steps) for r in made.routers)


def _check_again(repair: Repair) -> None:
    """What is left after a round. What keepalived gets over by itself has a while to do so."""
    report, spec = repair.report, spec_of(repair.job)
    report.phase(_LEFT[0], "Check again")
    report.declare(PAIR, [_LEFT])
    # Nobody puts right what is on a real server's own machine; it was looked at before.
    machines = [f for f in repair.found if of_a_machine(f.to_json())]
    end = time.monotonic() + _PATIENCE_SECONDS
    with report.doing(PAIR, *_LEFT[:2]) as step:
        while True:
            with connected(repair.job.routers, repair.limits) as pair:
                repair.observed = look(pair)
            here = check(spec, repair.observed)
            if not problems(here) or not plan(spec, repair.observed).empty or time.monotonic() > end:
                break
            time.sleep(1)
        repair.left = [*here, *machines]
        if left := problems(repair.left):
            step.amiss = f"{len(left)} left: {named(left)}"


def _tally(repair: Repair) -> str:
    """ "6 findings fixed in 7 steps: nothing is left." or "5 of 6 findings fixed, 1 left: …"."""
    before, left = {_key(f) for f in problems(repair.found)}, problems(repair.left)
    fixed = len(before - {_key(f) for f in left})
    if not left:
        return f"{counted(fixed, 'finding')} fixed in {counted(repair.steps, 'step')}: nothing is left."
    new = sum(_key(f) not in before for f in left)
    came = f" ({new} of them new)" if new else ""
    return f"{fixed} of {counted(len(before), 'finding')} fixed, {len(left)} left{came}: {named(left)}"


def _all(repair: Repair) -> list[Finding]:
    """In the order of `Repair.rows`."""
    before = {_key(f) for f in repair.found}
    return [*repair.found, *(f for f in repair.left if _key(f) not in before)]


def _key(finding: Finding) -> Key:
    return finding.code, finding.router, finding.what
