"""Faults of the manager's own parts in the middle of an apply: its worker, its Redis, its database. Nothing is mocked.

`make test` takes a sample; `make test-faults` all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import pytest

from tests.faults import series
from tests.faults.chain import Chain
from tests.faults.conftest import Recorder, fresh
from tests.faults.faults import Place, crossed, places, words
from tests.faults.judging import held, judge, rest
from tests.faults.passing import gets_over
from tests.faults.site import Site, started
from tests.workers.conftest import Bench

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1500)]

KILLED: Final = "worker killed with -9"
FAULTS: Final[dict[str, Callable[[Site], None]]] = {
    KILLED: Site.kill_worker,
    "Redis stopped for 8 s": lambda site: site.stop_redis(8),
    "database locked for 10 s": lambda site: site.lock_database(10),
    "database takes nothing for 70 s": lambda site: site.lock_database(70),
}
# What a run gets over.
PASSING: Final = ("Redis stopped for 8 s", "database locked for 10 s")
SAMPLE: Final[list[tuple[Place, str]]] = [(("r2", "keepalived-reload"), KILLED)]
_ALL = crossed([name for name in FAULTS if name not in PASSING])
CASES = series.left(_ALL, [(words(place), fault) for place, fault in _ALL]) if series.ALL else SAMPLE
TWICE: Final = ("at the start", "the same task is delivered three times at once")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with the lab's machines enrolled and the guide's cluster."""
    if series.over():
        pytest.skip("the series has had its time")
    with started(tmp_path_factory.mktemp("site")) as found:
        yield found


@pytest.fixture(scope="module")
def chain(site: Site) -> Iterator[Chain]:
    made = Chain(lambda _bench: site.works())
    yield made
    made.close()


@pytest.fixture
def bench(chain: Chain) -> Bench:
    """The lab in its first state, once the apply that has to work after the faults before has worked."""
    chain.close()
    return fresh()


@pytest.mark.parametrize(("place", "fault"), CASES, ids=[f"{p[0] or 'pair'}-{p[1]}-{f}" for p, f in CASES])
def test_both_or_neither(site: Site, chain: Chain, place: Place, fault: str) -> None:
    with chain.case(words(place), fault) as case:
        run = site.desk.do("apply", change=site.desk.do("propose")["change"])["run"]
        site.wait_for_step(run, place)
        FAULTS[fault](site)
        if fault == KILLED:
            site.shows_the_truth(run)
        case.ended(*site.ended(run))


@pytest.mark.timeout(7200)
@pytest.mark.skipif(not series.ALL, reason="only in the series")
@pytest.mark.parametrize("fault", PASSING)
def test_the_run_gets_over_it(bench: Bench, site: Site, recorded: Recorder, fault: str) -> None:
    ahead = series.left(places(), [(words(place), fault) for place in places()])
    gets_over(site, bench, recorded, fault=fault, strike=FAULTS[fault], boundaries=ahead)


@pytest.mark.skipif(not series.ALL or not series.left([TWICE], [TWICE]), reason="only in the series, once")
def test_the_same_task_delivered_at_once_works_once(bench: Bench, site: Site, recorded: Recorder) -> None:
    with recorded(*TWICE) as kept:
        change, before, start = site.desk.do("propose")["change"], held(bench), time.monotonic()
        run = site.desk.do("apply", change=change)["run"]
        for _ in range(2):
            site.desk.do("deliver", run=run)
        state, outcome = site.ended(run)
        observed = rest(bench)
        seconds = round(time.monotonic() - start)
        kept.row = replace(kept.row, run=state, said=outcome, seconds=seconds, state=judge(bench, before, observed)[0])
        assert (state, kept.row.state) == ("succeeded", "new")
        found = site.desk.do("state", run=run)
        assert (found["attempts"], found["fence"]) == (1, 1)
        site.works()
        kept.row = replace(kept.row, again=True)
