"""Every wait that people may choose is over before its run's limits end the run."""

from __future__ import annotations

from itertools import product

import pytest

from lbftp import settings as site
from lbftp.core import durations
from lbftp.core.durations import Need, limits
from lbftp.core.job import CHANGING, GUARD_BOUNDS
from lbftp.proofs.services.proposing import PATIENCE
from workers import guard, rollout
from workers.proofs import failover, guarded

LOOKING = {"enrol", "facts", "import", "plan", "verify"}
DELAYS = (0, 1000)
_CHOICES = product(GUARD_BOUNDS, PATIENCE, DELAYS, (False, True), (0, 16))
EVERY = [
    Need(
        kind,
        site.RUN_SECONDS,
        guard=guard_seconds,
        patience=patience if kind == "reboot" else 0,
        servers=servers if kind == "servers" else 0,
        preempt_delay=delay,
        sessions=64,
        by_hand=by_hand and kind in {"apply", "rollback"},
    )
    for kind, (guard_seconds, patience, delay, by_hand, servers) in product(sorted(CHANGING | LOOKING), _CHOICES)
]


@pytest.mark.parametrize("kind", sorted(CHANGING | LOOKING))
def test_whatever_the_forms_allow_is_kept(kind: str) -> None:
    for need in (one for one in EVERY if one.kind == kind):
        found = limits(need)
        assert need.work + _waits(need) <= found.own <= found.soft < found.hard < site.VISIBILITY_TIMEOUT, need


def _waits(need: Need) -> int:
    """What the workers wait for, told by their own figures."""
    if need.kind not in CHANGING:
        return 0
    settle = guarded.SETTLE_SECONDS + need.preempt_delay
    own = {
        "reboot": 2 * (need.patience + durations.UNITS + 2 * settle) + settle,
        "restart": 3 * settle,
        "failover": failover._BEGIN_SECONDS + 2 * (failover._NEXT_SECONDS + failover._WATCH_SECONDS) + 2 * settle,
        "servers": need.servers * (600 + 180),
        "comply": durations.ROUNDS * 2 * rollout.SETTLE_SECONDS,
    }.get(need.kind, 2 * rollout.SETTLE_SECONDS + rollout.LOOK_AGAIN_SECONDS)
    return 600 + own + (max(need.guard, durations.STANDSTILL) if need.by_hand else 0)


@pytest.mark.parametrize("kind", sorted(CHANGING))
def test_there_is_time_to_put_everything_back(kind: str) -> None:
    """After the run's own time is over, and after it was broken off: each router by itself, by its guard."""
    for need in (one for one in EVERY if one.kind == kind):
        found = limits(need)
        assert found.hard - found.soft > 2 * (need.guard + guard.PATIENCE_SECONDS)
        assert found.soft - found.own >= need.patience + durations.STEP


def test_a_worker_that_takes_over_has_as_much_time() -> None:
    for need in (one for one in EVERY if one.kind in CHANGING):
        once = 600 + 2 * (need.guard + guard.PATIENCE_SECONDS)
        assert limits(need).own >= need.work + once + (durations.STANDSTILL if need.by_hand else 0)


def test_sessions_of_a_failover_drill_outlast_it() -> None:
    for delay in DELAYS:
        need = Need("failover", 0, preempt_delay=delay)
        assert durations.traffic(delay) > durations.waits(need) - durations.LEASES - guarded.SETTLE_SECONDS - delay
