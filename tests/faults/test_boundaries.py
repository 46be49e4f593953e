"""A fault at the boundary between two steps: wholly the old state or wholly the new one, on both routers.

`make test` takes a sample; `make test-faults` every fault at every boundary, which takes hours.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

import pytest

from lbftp.core.diff import diff
from lbftp.core.observe.observed import Observed
from lbftp.core.program.guard import GuardState
from lbftp.core.render import desired
from ops.demo import foreign
from tests.core.cases import GUIDE
from tests.faults.faults import FAULTS, SAMPLE, Place, Strike, everything, places
from tests.workers.conftest import LIMITS, Bench
from workers.errors import ClaimLost, WorkError
from workers.guard import ask
from workers.kinds import KINDS
from workers.observe import connected, look
from workers.outcome import Outcome
from workers.report import Report

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

GUARD = 40
CASES = list(everything()) if os.environ.get("LBFTP_FAULTS") == "all" else list(SAMPLE)
Wishes = dict[str, frozenset[tuple[str, str]]]


def test_the_sample_is_of_boundaries_that_exist() -> None:
    assert {place for place, _ in SAMPLE} <= set(places())


def wishes(observed: Mapping[str, Observed]) -> Wishes:
    """What is missing on each router. The module is left out: in use it stays, and no matter."""
    return {
        name: frozenset((d.kind, d.key) for d in diff(desired(GUIDE, found), found) if d.kind != "module")
        for name, found in observed.items()
    }


def seen(bench: Bench) -> tuple[dict[str, Observed], dict[str, GuardState]]:
    with connected(bench.job().routers, LIMITS) as pair:
        return look(pair), {name: ask(remote) for name, remote in pair.items()}


def settled(bench: Bench) -> dict[str, Observed]:
    """What both routers hold once they can be asked and no guard waits any more."""
    end = time.monotonic() + 240
    while time.monotonic() < end:
        try:
            observed, guards = seen(bench)
        except WorkError:
            time.sleep(2)
            continue
        if not any(g.armed for g in guards.values()) and _through_boot(observed):
            return observed
        time.sleep(1)
    raise AssertionError("a router did not come to rest")


def _through_boot(observed: Mapping[str, Observed]) -> bool:
    return all(found.unit("keepalived.service").active == "active" for found in observed.values())


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
def test_both_or_neither(bench: Bench, table: list[str], place: Place, fault: str) -> None:
    old, untouched = wishes(seen(bench)[0]), bench.foreign()
    strike = Strike(place, FAULTS[fault], bench)
    outcome = carried_out(bench, strike)
    assert strike.struck
    after = wishes(settled(bench))
    new = all(not left for left in after.values())
    assert new or after == old, (outcome.text, after)
    assert (outcome.state == "succeeded") == new, (outcome.state, outcome.text, after)
    _foreign_is_untouched(bench, untouched, fault)
    again = retried(bench)
    assert again.state == "succeeded", again.text
    words = outcome.text.replace("|", "/").split(". ")[0][:200]
    table.append(f"| {place[0] or 'both'}: {place[1]} | {fault} | {'new' if new else 'old'} | {words} |")


def _foreign_is_untouched(bench: Bench, before: Mapping[str, foreign.Look], fault: str) -> None:
    """Files always; what others merely run is lost by a boot, with or without us."""
    if fault == "router reboots":
        return
    end = time.monotonic() + 80
    while left := [c for n, now in bench.foreign().items() for c in foreign.changes(before[n], now)]:
        assert time.monotonic() < end, left
        time.sleep(2)


def retried(bench: Bench) -> Outcome:
    """The next apply, as soon as SSH lets anybody in."""
    end = time.monotonic() + 90
    while True:
        try:
            return bench.apply()
        except (WorkError, AssertionError):
            if time.monotonic() > end:
                raise
            time.sleep(3)
