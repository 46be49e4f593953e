"""Faults that are tried once: wholly old or wholly new on both routers, the right end and words, and the next apply works."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from lbftp.core.job import Job
from tests.faults import series
from tests.faults.chain import Chain
from tests.faults.faults import Strike
from tests.faults.once import CASES, Once
from tests.workers.conftest import LIMITS, Bench
from workers.errors import WorkError
from workers.kinds import KINDS
from workers.outcome import Outcome
from workers.report import Report

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1500)]

# A router that nobody takes over rests when its guard has waited so long.
GUARD = 60 if series.ALL else 40
# A minute and more each: `make test` takes every second one.
CHOSEN = series.left(CASES, [(case.when, case.name) for case in CASES]) if series.ALL else CASES[::2]


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    made = Chain()
    yield made
    made.close()


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.name)
def test_once(chain: Chain, case: Once) -> None:
    with chain.case(case.when, case.name, booted=case.booted, ends=case.ends, mended=case.mended) as tried:
        case.broken(tried.bench)
        planned = tried.bench.do("plan", **case.job(tried.bench))
        case.then(tried.bench)
        tried.begins()
        outcome, said = carried_out(tried.bench, case, planned)
        tried.ended(outcome.state, outcome.text)
        case.healed(tried.bench)
        assert case.says in said


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
