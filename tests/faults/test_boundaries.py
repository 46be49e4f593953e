"""A fault at the boundary between two steps: wholly the old state or wholly the new one, on both routers.

`make test` takes a sample; `make test-faults` every fault at every boundary, which takes hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.faults import series
from tests.faults.chain import Chain
from tests.faults.faults import FAULTS, SAMPLE, Place, Strike, everything, words
from tests.workers.conftest import LIMITS, Bench
from workers.kinds import KINDS
from workers.outcome import Outcome
from workers.report import Report

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1500)]

# A router that nobody takes over rests when its guard has waited so long.
GUARD = 60 if series.ALL else 40
_RUNS = count(9)
_ALL = everything()
CASES = series.left(_ALL, [(words(place), fault) for place, fault in _ALL]) if series.ALL else list(SAMPLE)


def test_the_sample_is_of_boundaries_that_exist() -> None:
    assert set(SAMPLE) <= set(everything())


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    made = Chain()
    yield made
    made.close()


@pytest.fixture(scope="module")
def digests() -> dict[int, str]:
    """Of plans, by the chain's turn: within one all cases begin with the same."""
    return {}


def planned(bench: Bench) -> str:
    plan = bench.do("plan").plan
    assert plan is not None
    return plan.digest


def carried_out(bench: Bench, strike: Strike, digest: str, run: int) -> Outcome:
    job = bench.job(kind="apply", approved_digest=digest, guard=GUARD, run_id=run)
    return KINDS["apply"](job, Report(strike, lambda: None), LIMITS)


@pytest.mark.parametrize(("place", "fault"), CASES, ids=[f"{p[0] or 'pair'}-{p[1]}-{f}" for p, f in CASES])
def test_both_or_neither(chain: Chain, digests: dict[int, str], place: Place, fault: str) -> None:
    with chain.case(words(place), fault, booted=fault == "router reboots") as case:
        if chain.turn not in digests:
            digests[chain.turn] = planned(case.bench)
        strike = Strike(place, FAULTS[fault], case.bench)
        outcome = carried_out(case.bench, strike, digests[chain.turn], next(_RUNS))
        case.ended(outcome.state, outcome.text)
        assert strike.struck
