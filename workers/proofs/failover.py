"""The failover proof: keepalived stops on the master while sessions go on; how long until the next one works for
whoever comes at the worst moment, which of those that went on died, and the same for the way back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from lbftp.core import proofs
from lbftp.core.durations import COME_BACK, NEXT_SESSION, TRAFFIC_BEGINS, WATCH
from lbftp.core.job import Job, Probe
from lbftp.core.observe.observed import Observed
from lbftp.core.plan import Plan
from lbftp.core.problem import Problem
from workers.changing import Change, state_of
from workers.errors import WorkError
from workers.observe import Pair, connected
from workers.outcome import Outcome, seen, spec_of
from workers.proofs import guarded as g
from workers.proofs.guarded import await_holder, do, guarded, settled, taken
from workers.proofs.traffic import HELD, Traffic, going_on, wait_for
from workers.report import PAIR
from workers.rollout import Rollout

_GOING: Final = ("traffic", "Start sessions that go on", "prove")
_WATCH: Final = ("watch", "See what becomes of the sessions", "prove")
_AGAIN: Final = ("again", "See the VIP where it belongs, and the sessions once more", "prove")
# A session whose packets are dropped in silence is only known to be lost when its patience is over.
_WATCH_SECONDS: Final = WATCH
_NEXT_SECONDS: Final = NEXT_SESSION
_BEGIN_SECONDS: Final = TRAFFIC_BEGINS
_COME_BACK_SECONDS: Final = COME_BACK


def _plan(job: Job, observed: Mapping[str, Observed], _pair: Pair) -> Plan:
    return proofs.failover_plan(spec_of(job), observed, job.params)


def _problems(job: Job, observed: Mapping[str, Observed]) -> list[Problem]:
    found = proofs.problems(spec_of(job), observed, "failover", job.params)
    if job.probe is None:
        remedy = "Set a probe host and an FTP account at the cluster."
        found.append(Problem("LBF029", "error", "probe_host", "Nobody makes sessions meanwhile.", remedy))
    return found


def _carry_out(rollout: Rollout) -> Outcome:
    told: dict[str, Any] = {}
    [name] = rollout.order()
    g.declare(rollout, [name], [name], [_GOING, _WATCH, _AGAIN])
    try:
        with taken(rollout):
            _prove(rollout, name, told)
            rollout.after = settled(rollout, proofs.home(rollout.spec, name))
    except WorkError as error:
        return Outcome(state_of(error), str(error), {"failover": told})
    return Outcome("succeeded", _words(told), {**seen(rollout.spec, rollout.after), "failover": told})


def _prove(rollout: Rollout, name: str, told: dict[str, Any]) -> None:
    probe, report = rollout.job.probe, rollout.report
    assert isinstance(probe, Probe)  # noqa: S101 - for the reader; a plan without one is refused
    other = next(r.name for r in rollout.spec.routers if r.name != name)
    told.update(master=name, other=other, sync=rollout.spec.vrrp.sync_connections, held=HELD)
    with going_on(rollout.spec, probe, rollout.limits) as traffic:
        report.phase("prove", "Sessions go on")
        with report.doing(PAIR, *_GOING[:2]):
            _begun(rollout, traffic)
        with guarded(rollout, [name]):
            report.phase("apply", f"{name} stops, {other} takes over")
            told["away"] = _away(rollout, traffic, name, other)
            g.extend(rollout)
            report.phase("apply", f"{name} starts again")
            told["back"] = _back(rollout, traffic, name)
        told["short"] = len(traffic.shorts())


def _begun(rollout: Rollout, traffic: Traffic) -> None:
    def ready() -> bool:
        return len(traffic.staying()) > HELD and sum(row["ok"] for _, row in traffic.shorts()) >= 3

    what = "Sessions through the VIP do not work, so nothing was stopped"
    wait_for(traffic, ready, _BEGIN_SECONDS, what, rollout.report.check)


def _away(rollout: Rollout, traffic: Traffic, name: str, other: str) -> dict[str, Any]:
    with connected(rollout.job.routers, rollout.limits) as pair:
        start, going = time.monotonic(), traffic.staying()
        do(rollout, pair, name, "stop-keepalived")
        with rollout.report.doing(PAIR, *_WATCH[:2]):
            moved = await_holder(rollout, pair, other)
            return {**_measured(rollout, traffic, start, going, _WATCH[0]), "moved": moved}


def _back(rollout: Rollout, traffic: Traffic, name: str) -> dict[str, Any]:
    _whole_again(rollout, traffic)
    with connected(rollout.job.routers, rollout.limits) as pair:
        start, going = time.monotonic(), traffic.staying()
        do(rollout, pair, name, "start-keepalived")
    with rollout.report.doing(PAIR, *_AGAIN[:2]):
        rollout.after = settled(rollout, proofs.home(rollout.spec, name))
        return _measured(rollout, traffic, start, going, _AGAIN[0])


def _whole_again(rollout: Rollout, traffic: Traffic) -> None:
    """Those whose sessions were lost have come back, or some time has passed: the way back has sessions to lose."""
    end = time.monotonic() + _COME_BACK_SECONDS
    while len(traffic.staying()) <= HELD and time.monotonic() < end:
        g.keep(rollout)
        time.sleep(0.2)


def _measured(rollout: Rollout, traffic: Traffic, start: float, going: set[str], step: str) -> dict[str, Any]:
    """What became of the sessions in `going` since `start`, once the next one worked and the lost ones are known."""
    check = partial(g.keep, rollout)
    wait_for(traffic, lambda: _steady(traffic, start), _NEXT_SECONDS, "No further session works", check)
    until = time.monotonic() + _WATCH_SECONDS
    while time.monotonic() < until and traffic.staying() & going:
        check()
        time.sleep(0.2)
    lost, tried = [row for row in traffic.lost(start) if row["name"] in going], traffic.shorts(start)
    failed = [row for _, row in tried if not row["ok"]]
    names = sorted(row["name"] for row in lost)
    told = {
        "seconds": traffic.worst_wait(start),
        "going_on": sorted(going),
        "lost": names,
        "tried": len(tried),
        "failed": len(failed),
        "reasons": sorted({row["message"][:120] for row in (*failed, *lost)}),
    }
    text = f"worst wait for a session {told['seconds']} s; lost: {', '.join(names) or 'none'} of {len(going)}"
    rollout.report.output(PAIR, step, text)
    return told


def _steady(traffic: Traffic, start: float) -> bool:
    """Three good sessions one after the other: one alone may have slipped in before the VIP moved."""
    ends = [row["ok"] for _, row in traffic.shorts(start)]
    return len(ends) >= 3 and all(ends[-3:])


def _words(told: Mapping[str, Any]) -> str:
    away, back = told["away"], told["back"]
    sync = "with" if told["sync"] else "without"
    return (
        f"{told['other']} took over: at the worst moment the next session worked after {away['seconds']} s, "
        f"{len(away['lost'])} of {len(away['going_on'])} sessions that went on were lost ({sync} connection sync). "
        f"On the way back {back['seconds']} s and {len(back['lost'])} of {len(back['going_on'])}."
    )


FAILOVER: Final = Change(_plan, _problems, _carry_out, g.take_over)
