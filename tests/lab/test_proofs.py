"""Proofs that disturb, and maintenance, on the guide's cluster: r1 has Debian's layout, r2 Red Hat's.

They go on from each other's state, in this order; each leaves the pair as it was. `make test` takes the refusal and
the failover, `make test-proofs` all.
"""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from lab import api
from ops.demo import foreign
from tests.core.cases import GUIDE, guide
from tests.faults.faults import Place, Strike, manager_gone
from tests.workers.conftest import Bench
from workers.errors import ClaimLost
from workers.kinds import KINDS
from workers.outcome import Outcome
from workers.remote import Limits
from workers.report import Report

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

# What others do at run time and nobody saved: r1 has a container engine, r2 gets a guard against password guessing.
_ONLY_RUNNING = """
iptables -N f2b-vsftpd; iptables -A f2b-vsftpd -s 203.0.113.9 -j DROP; iptables -A f2b-vsftpd -j RETURN
iptables -I INPUT 2 -p tcp --dport 21 -j f2b-vsftpd
ip6tables -A FORWARD -s 2001:db8:66::/48 -j DROP
"""
# What is measured is what routers do, not how fast a busy machine lets one log in.
LIMITS, PATIENT = Limits(connect=60, program=240), 600
WHOLE = pytest.mark.skipif(os.environ.get("LBFTP_PROOFS") != "all", reason="make test-proofs: minutes")


@pytest.fixture(scope="module")
def bench() -> Bench:
    """The guide's cluster, applied to the lab in its first state."""
    bench = Bench({host.name: host for host in api.reset().hosts}, limits=LIMITS)
    outcome = bench.apply()
    assert outcome.state == "succeeded", outcome.text
    bench.sh("r2", _ONLY_RUNNING)
    return bench


def prove(bench: Bench, kind: str, **params: Any) -> Outcome:
    """Planned, and carried out as it was planned."""
    planned = bench.do("plan", change=kind, params=params)
    assert planned.plan is not None, planned.text
    done = bench.do(kind, change=kind, params=params, approved_digest=planned.plan.digest, guard=PATIENT)
    print(kind, params, done.state, done.text, {k: v for k, v in done.result.items() if k != "sessions"})
    return done


def test_a_restart_is_refused_while_it_loses_rules_of_others(bench: Bench) -> None:
    planned = bench.do("plan", change="restart")
    assert planned.plan is None
    assert "rules of others run and are not saved" in planned.text
    assert {(p.code, p.router) for p in planned.refused} == {("LBF022", "r1"), ("LBF022", "r2")}


@WHOLE
def test_the_restart_keeps_ours_and_puts_back_what_others_only_ran(bench: Bench) -> None:
    before = bench.foreign()
    done = prove(bench, "restart", foreign="put-back")
    assert done.state == "succeeded", done.text
    told = done.result["restart"]
    assert told["r1"]["units"] == ["netfilter-persistent.service", "keepalived.service"]
    assert told["r2"]["units"] == ["iptables.service", "ip6tables.service", "keepalived.service"]
    # It really went, and came back in its old place.
    assert told["r1"]["gone"] >= 10
    assert told["r2"]["gone"] == 4
    assert [(one["put_back"], one["left"]) for one in told.values()] == [(one["gone"], []) for one in told.values()]
    now = bench.foreign()
    assert {name: foreign.changes(before[name], now[name]) for name in before} == {"r1": [], "r2": []}
    assert done.result["findings"] == []
    assert done.result["master"] == "r1"
    assert {(row["mode"], row["ok"]) for row in done.result["sessions"]} == {
        (m, True) for m in ("PASV", "EPSV", "PORT", "EPRT")
    }
    order = [e.router for e in bench.seen.events if e.kind == "step" and e.data["id"] == "restart-units"]
    assert order == ["r2", "r2", "r1", "r1"]


def test_the_failover_is_measured_and_goes_back(bench: Bench) -> None:
    done = prove(bench, "failover")
    assert done.state == "succeeded", done.text
    told = done.result["failover"]
    assert (told["master"], told["other"], told["sync"]) == ("r1", "r2", False)
    assert 0 < told["away"]["seconds"] < 30
    assert len(told["away"]["going_on"]) == 5
    # Nobody told r2 of them: it does not know these connections.
    assert told["away"]["lost"] == told["away"]["going_on"]
    assert told["away"]["tried"] > told["away"]["failed"]
    # Their users came back, and lost them once more.
    assert len(told["back"]["going_on"]) == 5
    assert told["back"]["lost"] == told["back"]["going_on"]
    assert done.result["master"] == "r1"
    assert done.result["findings"] == []
    assert bench.sh("r1", "systemctl is-active keepalived").strip() == "active"


def out_of(bench: Bench, router: str, *, out: bool) -> Outcome:
    return prove(bench, "maintenance", router=router, out=out)


@WHOLE
def test_a_router_goes_only_while_the_other_one_is_well(bench: Bench) -> None:
    bench.sh("r2", "systemctl stop keepalived")
    try:
        planned = bench.do("plan", change="maintenance", params={"router": "r1", "out": True})
        assert planned.plan is None
        assert "r2" in planned.text
    finally:
        bench.sh("r2", "systemctl start keepalived")


def booted_anew(bench: Bench, name: str, before: str) -> None:
    """Returns once the router has another boot id than `before` and is through with starting its units."""
    script, end = "cat /proc/sys/kernel/random/boot_id && systemctl is-system-running --wait", time.monotonic() + 600
    while time.monotonic() < end:
        said = api.run(name, script, timeout=300).stdout
        if said and not said.startswith(before):
            return
        time.sleep(2)
    raise AssertionError(f"{name} did not come back from its reboot")


@WHOLE
def test_a_router_rests_over_a_reboot_and_comes_back(bench: Bench) -> None:
    done = out_of(bench, "r1", out=True)
    assert done.state == "succeeded", done.text
    assert done.result["master"] == "r2"
    assert done.result["maintenance"]["seconds"] < 15
    boot = bench.sh("r1", "cat /proc/sys/kernel/random/boot_id; systemd-run -q --on-active=1 systemctl reboot")
    booted_anew(bench, "r1", boot.strip())
    # Neither the boot nor somebody's hand starts it.
    assert bench.sh("r1", "systemctl start keepalived; systemctl is-active keepalived || :").strip() == "inactive"
    resting = bench.do("verify", resting=frozenset({"r1"}))
    assert resting.state == "succeeded", resting.text
    assert "r1" in resting.text
    back = out_of(bench, "r1", out=False)
    assert back.state == "succeeded", back.text
    assert back.result["master"] == "r1"
    assert back.result["findings"] == []
    assert bench.sh("r1", "ls -d /etc/systemd/system/keepalived.service.d 2>/dev/null || :") == ""


@WHOLE
def test_both_routers_reboot_backup_first_and_come_back_complete(bench: Bench) -> None:
    boots = bench.both("cat /proc/sys/kernel/random/boot_id")
    before = bench.foreign()
    done = prove(bench, "reboot", routers=["r1", "r2"], patience=600)
    assert done.state == "succeeded", done.text
    told = done.result["reboot"]
    assert list(told) == ["r2", "r1"]
    now = bench.both("cat /proc/sys/kernel/random/boot_id")
    assert {name: now[name].strip() for name in now} == {name: one["boot"] for name, one in told.items()}
    assert all(now[name] != boots[name] for name in now)
    assert told["r2"]["moved_in"] is None
    assert told["r1"]["moved_in"] < 15
    assert done.result["master"] == "r1"
    assert done.result["findings"] == []
    # The container engine of r1 is a service and puts its rules back itself; r2's were nobody's.
    assert (told["r1"]["gone"], len(told["r2"]["gone"])) == ([], 4)
    files = {
        name: [c for c in foreign.changes(before[name], look) if "rules:" not in c]
        for name, look in bench.foreign().items()
    }
    assert files == {"r1": [], "r2": []}


GUARD = 60


def dies(bench: Bench, kind: str, place: Place, **params: Any) -> dict[str, Any]:
    """A worker dies when that step is done. The job's values, for whoever takes the run over."""
    planned = bench.do("plan", change=kind, params=params)
    assert planned.plan is not None, planned.text
    told = {"change": kind, "params": params, "approved_digest": planned.plan.digest, "guard": GUARD, "run_id": 9}
    strike = Strike(place, manager_gone, bench)
    with pytest.raises(ClaimLost):
        KINDS[kind](bench.job(kind=kind, **told), Report(strike, lambda: None), LIMITS)
    assert strike.struck
    return told


def undisturbed(bench: Bench, seconds: int) -> None:
    """Both routers hold what they should within that time, r1 has the VIP, and no lock or guard of the run is left."""
    end = time.monotonic() + seconds
    while (outcome := bench.do("comply")).state != "succeeded" or outcome.result["findings"]:
        assert time.monotonic() < end, outcome.result
        time.sleep(3)
    while bench.do("comply").result["master"] != "r1":
        assert time.monotonic() < end
        time.sleep(3)


@WHOLE
def test_the_router_starts_keepalived_itself_when_nobody_comes_back(bench: Bench) -> None:
    dies(bench, "failover", ("r1", "stop-keepalived"))
    assert bench.sh("r1", "systemctl is-active keepalived || :").strip() != "active"
    undisturbed(bench, GUARD + 90)


@WHOLE
@pytest.mark.parametrize(
    ("kind", "place", "params"),
    [
        ("failover", ("r1", "stop-keepalived"), {}),
        ("maintenance", ("r1", "rest-keepalived"), {"router": "r1", "out": True}),
        ("restart", ("r1", "restart-units"), {"foreign": "put-back"}),
        ("reboot", ("r1", "stop-keepalived"), {"routers": ["r1"]}),
        ("reboot", ("r2", "reboot"), {"routers": ["r2"]}),
    ],
)
def test_the_next_worker_puts_back_what_a_dead_one_left(
    bench: Bench, kind: str, place: Place, params: dict[str, Any]
) -> None:
    before = bench.foreign()
    told = dies(bench, kind, place, **params)
    after = bench.do(kind, **told, fence=2)
    assert after.state == "failed"
    assert "A worker fell silent in this run." in after.text
    undisturbed(bench, 60)
    assert bench.sh("r1", "ls -d /etc/systemd/system/keepalived.service.d 2>/dev/null || :") == ""
    if place[1] != "reboot":
        now = bench.foreign()
        assert {name: foreign.changes(before[name], now[name]) for name in before} == {"r1": [], "r2": []}


@WHOLE
def test_a_router_that_went_out_before_its_worker_died_is_out(bench: Bench) -> None:
    told = dies(bench, "maintenance", ("r1", "confirm"), router="r1", out=True)
    after = bench.do("maintenance", **told, fence=2)
    assert (after.state, after.result["maintenance"]["out"]) == ("succeeded", True), after.text
    back = out_of(bench, "r1", out=False)
    assert back.state == "succeeded", back.text
    undisturbed(bench, 60)


@WHOLE
def test_with_connection_sync_sessions_survive(bench: Bench) -> None:
    spec = guide(sync_connections=True)
    outcome = bench.apply(spec=spec, previous=GUIDE)
    assert outcome.state == "succeeded", outcome.text
    planned = bench.do("plan", change="failover", spec=spec)
    assert planned.plan is not None, planned.text
    done = bench.do("failover", change="failover", spec=spec, approved_digest=planned.plan.digest, guard=PATIENT)
    print(done.text, done.result["failover"])
    assert done.state == "succeeded", done.text
    told = done.result["failover"]
    assert told["sync"] is True
    assert len(told["away"]["lost"]) < len(told["away"]["going_on"])
