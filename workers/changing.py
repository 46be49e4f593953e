"""Planning a change and carrying it out: what is the same for every kind of change, and the kind that there was first.

A kind says how its plan is made from what the routers hold, and how an approved one is carried out. In between is this:
the plan is made anew and compared with the approved digest before anything is touched.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from lbftp.core.findings import findings
from lbftp.core.job import Access, Job
from lbftp.core.lint import lint_others
from lbftp.core.observe.observed import Observed
from lbftp.core.plan import Plan, plan
from lbftp.core.preflight import preflight
from lbftp.core.problem import Problem, errors
from lbftp.core.spec import ClusterSpec
from workers.errors import Cancelled, WorkError
from workers.observe import Pair, connected, look
from workers.outcome import Outcome, in_counts, named, problems, seen, spec_of
from workers.probe import in_words
from workers.remote import Limits
from workers.report import PAIR, Report
from workers.restore import take_over
from workers.rollout import Rollout, rehearse, roll_out

LOOK: Final = ("observe", "Look at both routers")
_PLAN: Final = ("plan", "Make the plan")
_COMPARE: Final = ("compare", "Compare with the approved plan")
_STALE: Final = (
    "The {subject} changed since this plan was approved; nothing was touched. Read the new plan and approve it."
)


def _routers(job: Job) -> Sequence[Access]:
    return job.routers


@dataclass(frozen=True, slots=True)
class Change:
    """A kind of change. `plan` may ask the routers more than what was observed, and changes nothing; it and `problems`
    give the same for the same state of the machines. `carry_out` is called with a plan that is approved and not empty.
    `take_over` is called instead of everything when an earlier worker died in the run.

    `machines` are those that it is about, and `observe` looks at them where they are routers; `subject` is what they
    are called, `title` what looking at them is. `rehearse` does what comes before the first change; raises WorkError.
    """

    plan: Callable[[Job, Mapping[str, Observed], Pair], Plan]
    problems: Callable[[Job, Mapping[str, Observed]], list[Problem]]
    carry_out: Callable[[Rollout], Outcome]
    take_over: Callable[[Job, ClusterSpec, Report, Limits], Outcome] = take_over
    machines: Callable[[Job], Sequence[Access]] = _routers
    observe: Callable[[Pair], Mapping[str, Observed]] = look
    rehearse: Callable[[Rollout], None] = rehearse
    subject: str = "routers"
    title: str = LOOK[1]

    @property
    def step(self) -> tuple[str, str]:
        return LOOK[0], self.title


@dataclass(frozen=True, slots=True)
class _Made:
    """A plan, what it was made from, and what was found to say about it."""

    plan: Plan
    problems: list[Problem]
    observed: Mapping[str, Observed]


def make_plan(change: Change, job: Job, report: Report, limits: Limits) -> Outcome:
    """A plan from what the routers hold, or the reasons why there can be none. Nothing is changed."""
    spec = spec_of(job)
    report.declare(PAIR, [(*change.step, "observe"), (*_PLAN, "compare")])
    made = _made(change, job, report, limits)
    with report.doing(PAIR, *_PLAN) as step:
        step.amiss = _stopping(made)
    if step.amiss:
        return Outcome("failed", step.amiss, refused=made.problems)
    steps = sum(len(r.steps) for r in made.plan.routers)
    text = f"The {change.subject} hold this already." if made.plan.empty else f"{steps} steps."
    return Outcome("succeeded", text, seen(spec, made.observed), plan=made.plan)


def carry_out(change: Change, job: Job, report: Report, limits: Limits) -> Outcome:
    """Carries out the approved plan, if it is still the plan."""
    spec = spec_of(job)
    if job.fence > 1 and not job.dry:
        return change.take_over(job, spec, report, limits)
    report.phase(LOOK[0], change.title)
    report.declare(PAIR, [(*change.step, "observe"), (*_COMPARE, "compare")])
    made = _made(change, job, report, limits)
    report.phase(*_COMPARE)
    stale = "" if made.plan.digest == job.approved_digest else _STALE.format(subject=change.subject)
    with report.doing(PAIR, *_COMPARE) as step:
        step.amiss = stale or _stopping(made)
    if stale:
        return Outcome("failed", stale, seen(spec, made.observed), stale=made.plan)
    if step.amiss:
        return Outcome("failed", step.amiss, seen(spec, made.observed))
    if made.plan.empty:
        return Outcome("succeeded", f"No changes: the {change.subject} hold this already.", seen(spec, made.observed))
    rollout = Rollout(job, spec, made.plan, made.observed, report, limits)
    return _dry(change, rollout) if job.dry else change.carry_out(rollout)


def _stopping(made: _Made) -> str:
    """Why the plan cannot be carried out, '' if nothing stands against it."""
    stops = errors(made.problems)
    return f"{stops[0].reason} {stops[0].remedy}" if stops else ""


def _made(change: Change, job: Job, report: Report, limits: Limits) -> _Made:
    with connected(change.machines(job), limits) as pair, report.doing(PAIR, *change.step):
        observed = change.observe(pair)
        made = change.plan(job, observed, pair)
        problems = [*change.problems(job, observed), *made.warnings]
    return _Made(dataclasses.replace(made, warnings=tuple(problems)), problems, observed)


def problems_of(job: Job, observed: Mapping[str, Observed]) -> list[Problem]:
    """What speaks against bringing these routers to the job's spec, or has to be known about it."""
    spec = spec_of(job)
    return [*lint_others(spec, job.others), *(p for name in sorted(observed) for p in preflight(spec, observed[name]))]


def _to_revision(job: Job, observed: Mapping[str, Observed], _pair: Pair) -> Plan:
    return plan(spec_of(job), observed)


def _dry(change: Change, rollout: Rollout) -> Outcome:
    """Everything up to the first change: the machines' own programs judge the new files."""
    try:
        change.rehearse(rollout)
    except WorkError as error:
        return Outcome(state_of(error), str(error), seen(rollout.spec, rollout.before))
    steps = sum(len(r.steps) for r in rollout.plan.routers)
    return Outcome(
        "succeeded", f"Dry run: {steps} steps would follow. Nothing was changed.", seen(rollout.spec, rollout.before)
    )


def rolled_out(rollout: Rollout) -> Outcome:
    """Rolls the plan out to the pair, proves and keeps it, or puts back what was there."""
    try:
        roll_out(rollout)
    except WorkError as error:
        return Outcome(state_of(error), str(error), rollout.proof.to_json())
    proved = in_words(rollout.proof) if rollout.proof.rows else "No FTP session was made."
    left = findings(rollout.spec, rollout.after)
    told = problems(left)
    rest = f" {in_counts(told)} left: {named(told)}" if told else ""
    result = seen(rollout.spec, rollout.after, left)
    return Outcome("succeeded", f"Applied and kept. {proved}{rest}", {**result, **rollout.proof.to_json()})


def state_of(error: WorkError) -> Literal["failed", "cancelled"]:
    return "cancelled" if isinstance(error, Cancelled) else "failed"


TO_REVISION: Final = Change(_to_revision, problems_of, rolled_out)
