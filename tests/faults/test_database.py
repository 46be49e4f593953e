"""A database server that stops in the middle of an apply and comes back: a real PostgreSQL, with a site that works on it.

`make test` takes a sample; `make test-faults` every boundary.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from tests.faults import series
from tests.faults.chain import Chain
from tests.faults.conftest import Recorder, fresh
from tests.faults.faults import Place, places, words
from tests.faults.passing import gets_over
from tests.faults.site import Site, started
from tests.postgres import Postgres

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1500)]

STOPPED: Final = "PostgreSQL stopped for 10 s"
# Longer than a worker waits: the run is another's by then.
GONE: Final = "PostgreSQL gone for 70 s, as by a power cut"
# One boundary with nothing on the routers yet, one with a guard that waits, and one with changes that nobody proved.
SAMPLE: Final[list[Place]] = [("r2", "lock"), ("r1", "guard"), ("r2", "keepalived-reload")]
TAKEN_OVER: Final[list[Place]] = [("r2", "guard"), ("r1", "keepalived-reload"), ("", "sessions"), ("r2", "confirm")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site on PostgreSQL with the lab's machines enrolled and the guide's cluster."""
    if series.over():
        pytest.skip("the series has had its time")
    postgres = Postgres(tmp_path_factory.mktemp("database") / "postgres")
    try:
        with started(tmp_path_factory.mktemp("site"), postgres) as found:
            yield found
    finally:
        postgres.stop()


@pytest.fixture(scope="module")
def chain(site: Site) -> Iterator[Chain]:
    made = Chain(lambda _bench: site.works())
    yield made
    made.close()


@pytest.mark.timeout(7200)
def test_the_run_gets_over_it(site: Site, recorded: Recorder) -> None:
    every = places() if series.ALL else SAMPLE
    ahead = series.left(every, [(words(place), STOPPED) for place in every]) if series.ALL else every
    boundaries = [place for place in places() if place in ahead]
    gets_over(site, fresh(), recorded, fault=STOPPED, strike=lambda it: it.stop_database(10), boundaries=boundaries)


_CASES: Final = series.left(TAKEN_OVER, [(words(place), GONE) for place in TAKEN_OVER]) if series.ALL else []


@pytest.mark.parametrize("place", _CASES, ids=[f"{p[0] or 'pair'}-{p[1]}" for p in _CASES])
def test_both_or_neither(site: Site, chain: Chain, place: Place) -> None:
    with chain.case(words(place), GONE) as case:
        run = site.desk.do("apply", change=site.desk.do("propose")["change"])["run"]
        site.wait_for_step(run, place)
        site.stop_database(70, at_once=True)
        site.shows_the_truth(run)
        case.ended(*site.ended(run))
