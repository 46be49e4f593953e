"""What a run of a whole site gets over: one run takes as many faults as it has boundaries that are not yet past."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace

from lab import api
from tests.faults import series
from tests.faults.conftest import Recorder
from tests.faults.faults import Place, words
from tests.faults.judging import held, judge, rest
from tests.faults.site import Site
from tests.workers.conftest import Bench


def gets_over(
    site: Site,
    bench: Bench,
    recorded: Recorder,
    *,
    fault: str,
    strike: Callable[[Site], None],
    boundaries: Sequence[Place],
) -> None:
    """Runs until each of `boundaries` had the fault in one of them."""
    ahead = list(boundaries)
    while ahead and not series.over():
        api.reset()
        with ExitStack() as rows:
            change, before, start = site.desk.do("propose")["change"], held(bench), time.monotonic()
            run = site.desk.do("apply", change=change)["run"]
            struck = []
            for place in boundaries:
                if place in ahead and not site.is_done(run, place):
                    struck.append(rows.enter_context(recorded(words(place), fault)))
                    site.wait_for_step(run, place)
                    strike(site)
                    ahead.remove(place)
            state, outcome = site.ended(run)
            observed = rest(bench)
            now, seconds = judge(bench, before, observed)[0], round(time.monotonic() - start)
            for kept in struck:
                kept.row = replace(kept.row, run=state, said=outcome, seconds=seconds, state=now)
            assert (state, now) == ("succeeded", "new"), outcome
            site.works()
            for kept in struck:
                kept.row = replace(kept.row, again=True)
            assert struck, "no boundary is reached in time"
