"""A fault at the boundary between two steps: wholly the old state or wholly the new one, on both routers.

`make test` takes a sample; `make test-faults` every fault at every boundary, which takes hours.
"""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from tests.faults import series
from tests.faults.conftest import Recorder
from tests.faults.faults import FAULTS, SAMPLE, Place, Strike, everything, words
from tests.faults.judging import held, judge, rest, retried
from tests.workers.conftest import LIMITS, Bench
from workers.errors import ClaimLost
from workers.kinds import KINDS
from workers.outcome import Outcome
from workers.report import Report

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1500)]

# A router that nobody takes over rests when its guard has waited so long.
GUARD = 90 if series.ALL else 40
_ALL = everything()
CASES = series.left(_ALL, [(words(place), fault) for place, fault in _ALL]) if series.ALL else list(SAMPLE)


def test_the_sample_is_of_boundaries_that_exist() -> None:
    assert set(SAMPLE) <= set(everything())


def carried_out(bench: Bench, strike: Strike) -> Outcome:
    """The run until its end, by another worker if the first one dies."""
    made = bench.do("plan").plan
    assert made is not None
    job = bench.job(kind="apply", approved_digest=made.digest, guard=GUARD, run_id=9)
    try:
        return KINDS["apply"](job, Report(strike, lambda: None), LIMITS)
    except ClaimLost:
        return bench.do("apply", approved_digest=made.digest, guard=GUARD, run_id=9, fence=2)


@pytest.mark.parametrize(("place", "fault"), CASES, ids=[f"{p[0] or 'pair'}-{p[1]}-{f}" for p, f in CASES])
def test_both_or_neither(bench: Bench, recorded: Recorder, place: Place, fault: str) -> None:
    with recorded(words(place), fault) as kept:
        before = held(bench)
        strike, start = Strike(place, FAULTS[fault], bench), time.monotonic()
        outcome = carried_out(bench, strike)
        kept.row = replace(kept.row, run=outcome.state, said=outcome.text)
        assert strike.struck
        rest(bench)
        kept.row = replace(kept.row, seconds=round(time.monotonic() - start))
        state = judge(bench, before, booted=fault == "router reboots")
        kept.row = replace(kept.row, state=state)
        assert (outcome.state == "succeeded") == (state == "new"), (outcome.state, outcome.text, state)
        again = retried(bench)
        assert again.state == "succeeded", again.text
        kept.row = replace(kept.row, again=True)
