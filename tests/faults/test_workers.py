"""Faults of the manager's own parts in the middle of an apply: its worker, its Redis, its database. Nothing is mocked.

`make test` takes a sample; `make test-faults` all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Final

import pytest

from lab import api
from ops import stack as sites
from tests.faults import series
from tests.faults.chain import Chain
from tests.faults.conftest import Recorder, fresh
from tests.faults.faults import Place, crossed, places, words
from tests.faults.judging import held, judge, rest
from tests.faults.site import Desk, Site
from tests.workers.conftest import Bench

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1500)]

# A killed worker's run shows its true state within this time.
TRUTH_SECONDS: Final = 45
KILLED: Final = "worker killed with -9"
FAULTS: Final[dict[str, Callable[[Site], None]]] = {
    KILLED: Site.kill_worker,
    "Redis stopped for 8 s": lambda site: site.stop_redis(8),
    "database locked for 10 s": lambda site: site.lock_database(10),
    "database takes nothing for 70 s": lambda site: site.lock_database(70),
}
# What a run gets over: one run takes as many of them as it has boundaries that are not yet past.
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
    api.ensure_up()
    options = sites.Options(fresh=True, extra={"LBFTP_BEAT_TICK_SECONDS": "2", "LBFTP_SSH_CONNECT_TIMEOUT": "20"})
    with sites.start(tmp_path_factory.mktemp("site"), options=options) as running:
        desk = Desk(running.env)
        found = Site(running, desk)
        found.desk.do("enrol")
        yield found
        desk.stop()


@pytest.fixture(scope="module")
def chain(site: Site) -> Iterator[Chain]:
    made = Chain(lambda _bench: works(site))
    yield made
    made.close()


@pytest.fixture
def bench(chain: Chain) -> Bench:
    """The lab in its first state, once the apply that has to work after the faults before has worked."""
    chain.close()
    return fresh()


def works(site: Site) -> None:
    """The next apply, from its proposal to its end."""
    done = site.desk.do("again")
    assert done["state"] == "succeeded", done


@pytest.mark.parametrize(("place", "fault"), CASES, ids=[f"{p[0] or 'pair'}-{p[1]}-{f}" for p, f in CASES])
def test_both_or_neither(site: Site, chain: Chain, place: Place, fault: str) -> None:
    with chain.case(words(place), fault) as case:
        run = site.desk.do("apply", change=site.desk.do("propose")["change"])["run"]
        site.wait_for_step(run, place)
        FAULTS[fault](site)
        if fault == KILLED:
            shows_the_truth(site, run)
        case.ended(*site.ended(run))


@pytest.mark.timeout(7200)
@pytest.mark.skipif(not series.ALL, reason="only in the series")
@pytest.mark.parametrize("fault", PASSING)
def test_the_run_gets_over_it(bench: Bench, site: Site, recorded: Recorder, fault: str) -> None:
    """Runs until each boundary had the fault in one of them."""
    ahead = series.left(places(), [(words(place), fault) for place in places()])
    while ahead and not series.over():
        api.reset()
        with ExitStack() as rows:
            change, before, start = site.desk.do("propose")["change"], held(bench), time.monotonic()
            run = site.desk.do("apply", change=change)["run"]
            struck = []
            for place in [place for place in places() if place in ahead]:
                if not site.is_done(run, place):
                    struck.append(rows.enter_context(recorded(words(place), fault)))
                    site.wait_for_step(run, place)
                    FAULTS[fault](site)
                    ahead.remove(place)
            state, outcome = site.ended(run)
            observed = rest(bench)
            now, seconds = judge(bench, before, observed)[0], round(time.monotonic() - start)
            for kept in struck:
                kept.row = replace(kept.row, run=state, said=outcome, seconds=seconds, state=now)
            assert (state, now) == ("succeeded", "new")
            works(site)
            for kept in struck:
                kept.row = replace(kept.row, again=True)
            assert struck, "no boundary is reached in time"


def shows_the_truth(site: Site, run: int) -> None:
    """Within its time the run's page says that its worker fell silent, or how the run ended."""
    struck = time.monotonic()
    while site.state(run)[0] == "running" and "has not been heard of" not in site.words(run):
        assert time.monotonic() - struck < TRUTH_SECONDS, "nobody said that the worker is gone"
        time.sleep(0.2)


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
        assert site.ask("select attempts, fence from changes_run where id = ?", run) == [(1, 1)]
        works(site)
        kept.row = replace(kept.row, again=True)
