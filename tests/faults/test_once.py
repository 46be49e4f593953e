"""Faults that are tried once: wholly old or wholly new on both routers, the right end and words, and the next apply works.

`make test-lab` takes a sample; `make test-faults` all.
"""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from lbftp.core.job import Job
from tests.faults import series
from tests.faults.conftest import Recorder
from tests.faults.faults import Strike
from tests.faults.judging import held, judge, rest, retried
from tests.faults.once import CASES, SAMPLE, Once
from tests.workers.conftest import LIMITS, Bench
from workers.errors import WorkError
from workers.kinds import KINDS
from workers.outcome import Outcome
from workers.report import Report

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1500)]

# A router that nobody takes over rests when its guard has waited so long.
GUARD = 60 if series.ALL else 40
_SAMPLE = [case for case in CASES if case.name in SAMPLE]
CHOSEN = series.left(CASES, [(case.when, case.name) for case in CASES]) if series.ALL else _SAMPLE


def test_the_sample_exists() -> None:
    assert len(_SAMPLE) == len(SAMPLE)


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.name)
def test_once(bench: Bench, recorded: Recorder, case: Once) -> None:
    with recorded(case.when, case.name) as kept:
        case.broken(bench)
        planned = bench.do("plan", **case.job(bench))
        case.then(bench)
        before, start = held(bench), time.monotonic()
        outcome, said = carried_out(bench, case, planned)
        kept.row = replace(kept.row, run=outcome.state, said=outcome.text)
        case.healed(bench)
        observed = rest(bench)
        kept.row = replace(kept.row, seconds=round(time.monotonic() - start))
        kept.row = replace(kept.row, state=judge(bench, before, observed, booted=case.booted)[0])
        assert kept.row.state in case.ends, outcome.text
        assert (outcome.state == "succeeded") == (kept.row.state == "new"), (outcome.state, outcome.text)
        assert case.says in said
        case.mended(bench)
        again = retried(bench)
        assert again.state == "succeeded", again.text
        kept.row = replace(kept.row, again=True)


def carried_out(bench: Bench, case: Once, planned: Outcome) -> tuple[Outcome, str]:
    """How the run ends, and everything that it said."""
    if planned.plan is None:
        return planned, planned.text
    strike = Strike(case.place or ("", ""), lambda bench, _router: case.strike(bench), bench)
    job = bench.job(**{"guard": GUARD, **case.job(bench)})
    job = replace(job, kind="apply", approved_digest=planned.plan.digest, run_id=9)
    outcome = _outcome(job, strike)
    assert strike.struck or case.place is None
    words = [str(e.data.get("text") or e.data.get("message") or "") for e in strike.events]
    return outcome, "\n".join([outcome.text, *words])


def _outcome(job: Job, strike: Strike) -> Outcome:
    """As a worker takes it: what stands against the work is a failed run."""
    try:
        return KINDS["apply"](job, Report(strike, lambda: None), LIMITS)
    except WorkError as error:
        return Outcome("failed", str(error))
