"""A fault at the boundary between two steps: wholly the old state or wholly the new one, on both routers.

`make test` takes a sample; `make test-faults` every fault at every boundary, which takes hours.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import pytest

from tests.faults import series
from tests.faults.conftest import Recorder, fresh
from tests.faults.faults import FAULTS, SAMPLE, Place, Strike, everything, words
from tests.faults.judging import Held, held, judge, rest, retried
from tests.workers.conftest import LIMITS, Bench
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


@dataclass(frozen=True, slots=True)
class Start:
    """The lab's first state, to which every case goes back, and the digest of the plan made for it."""

    held: Held
    digest: str


@pytest.fixture(scope="module")
def start() -> Start:
    bench = fresh()
    planned = bench.do("plan").plan
    assert planned is not None
    return Start(held(bench), planned.digest)


def carried_out(bench: Bench, strike: Strike, digest: str) -> Outcome:
    job = bench.job(kind="apply", approved_digest=digest, guard=GUARD, run_id=9)
    return KINDS["apply"](job, Report(strike, lambda: None), LIMITS)


@pytest.mark.parametrize(("place", "fault"), CASES, ids=[f"{p[0] or 'pair'}-{p[1]}-{f}" for p, f in CASES])
def test_both_or_neither(start: Start, bench: Bench, recorded: Recorder, place: Place, fault: str) -> None:
    with recorded(words(place), fault) as kept:
        strike, begun = Strike(place, FAULTS[fault], bench), time.monotonic()
        outcome = carried_out(bench, strike, start.digest)
        kept.row = replace(kept.row, run=outcome.state, said=outcome.text)
        assert strike.struck
        observed = rest(bench)
        kept.row = replace(kept.row, seconds=round(time.monotonic() - begun))
        state = judge(bench, start.held, observed, booted=fault == "router reboots")
        kept.row = replace(kept.row, state=state)
        assert (outcome.state == "succeeded") == (state == "new"), (outcome.state, outcome.text, state)
        again = retried(bench)
        assert again.state == "succeeded", again.text
        kept.row = replace(kept.row, again=True)
