"""The routers' own guards: whatever becomes of the manager, a change is wholly there or wholly gone."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lbftp.core import program
from lbftp.core.job import Event
from lbftp.core.observe.iptables import rule
from lbftp.core.plan import plan
from lbftp.core.render import iptables
from lbftp.core.spec import ClusterSpec
from tests.core.cases import GUIDE, guide
from tests.workers.conftest import LIMITS, Bench
from workers.errors import ClaimLost, WorkError
from workers.guard import ask
from workers.kinds import KINDS
from workers.observe import connected, look
from workers.outcome import Outcome
from workers.remote import connect
from workers.report import Report

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

TOKEN = "token1234"
OTHER = guide(mark=77)


@pytest.fixture(autouse=True)
def nothing_left(bench: Bench) -> Iterator[None]:
    yield
    for state in guards(bench).values():
        assert (state.armed, state.owner) == ("", "")


def guards(bench: Bench) -> dict[str, program.guard.GuardState]:
    with connected(bench.job().routers, LIMITS) as pair:
        return {name: ask(remote) for name, remote in pair.items()}


def planned(bench: Bench, spec: ClusterSpec = GUIDE) -> str:
    made = bench.do("plan", spec=spec).plan
    assert made is not None
    return made.digest


def watched(bench: Bench, on_event: Callable[[Event], None], **changes: Any) -> Outcome:
    """An apply during which `on_event` sees each event as it happens."""
    job = bench.job(kind="apply", **changes)
    return KINDS["apply"](job, Report(on_event, lambda: None), LIMITS)


def at_step(router: str, step: str, do: Callable[[], object]) -> Callable[[Event], None]:
    """Does `do` once, when that step is done."""
    pending = [do]

    def on_event(event: Event) -> None:
        done = event.kind == "step" and event.router == router and event.data["id"] == step
        if done and event.data["state"] == "done" and pending:
            pending.pop()()

    return on_event


def until(what: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(1)


def die() -> None:
    raise ClaimLost("this worker is dead")


def test_a_change_that_is_confirmed_stays(bench: Bench) -> None:
    outcome = bench.apply(guard=60)
    assert outcome.state == "succeeded", outcome.text
    told = [(e.router, e.data.get("id") or e.data["state"]) for e in bench.seen.events if e.kind in {"guard", "step"}]
    # Side by side, so in either order, but both before the first change of either.
    armed, first = {told.index((name, "armed")) for name in ("r1", "r2")}, told.index(("r2", "rules"))
    assert max(armed) < first < told.index(("r1", "rules"))
    assert {("r1", "confirmed"), ("r2", "confirmed")} <= set(told)
    assert "confirmed" in bench.sh("r1", "journalctl -t lbftp -n 5 -o cat")


def test_a_manager_that_dies_in_the_middle_is_not_missed(bench: Bench) -> None:
    """Nobody comes: both routers put themselves back, within the guard's time."""
    held = bench.look()
    with pytest.raises(ClaimLost):
        watched(
            bench, at_step("r2", "rules", die), spec=OTHER, approved_digest=planned(bench, OTHER), guard=30, run_id=5
        )
    assert guards(bench)["r2"].armed.startswith("run-5-")
    until(lambda: all(not g.armed for g in guards(bench).values()), 60)
    assert bench.look() == held
    assert "is back" in bench.sh("r2", "journalctl -t lbftp -n 5 -o cat")


def test_a_manager_that_locks_itself_out_gets_back_in(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The change itself brings a rule that drops every new connection to SSH on r2."""
    chains = iptables.chains

    def with_lock_out(spec: ClusterSpec, router: Any, *rest: Any) -> tuple[Any, ...]:
        found = chains(spec, router, *rest)
        drop = rule("-p tcp --dport 22 -m conntrack --ctstate NEW -j DROP")
        return tuple(
            dataclasses.replace(c, rules=(drop, *c.rules)) if c.name.endswith("-in") and router.name == "r2" else c
            for c in found
        )

    held = bench.look()
    monkeypatch.setattr("lbftp.core.render.iptables.chains", with_lock_out)
    digest = planned(bench, GUIDE)
    outcome = bench.do("apply", approved_digest=digest, guard=30)
    monkeypatch.undo()
    assert outcome.state == "failed"
    assert "was put back on r2" in outcome.text.replace("r2, r1", "r2").replace("r1, r2", "r2")
    assert bench.look() == held


def test_a_router_that_boots_meanwhile_comes_back_as_it_was(bench: Bench) -> None:
    reboot = "systemctl reboot --force --force >/dev/null 2>&1 &"
    on_event = at_step("r2", "keepalived-reload", lambda: bench.sh("r2", reboot))
    outcome = watched(bench, on_event, spec=OTHER, approved_digest=planned(bench, OTHER), guard=40, run_id=6)
    assert outcome.state == "failed", outcome.text
    until(lambda: not _waiting(bench, "r2"), 400)
    # What others merely run is gone with the boot; what is ours is there as it was before the change.
    with connected(bench.job().routers, LIMITS) as pair:
        assert plan(GUIDE, look(pair)).empty


def _waiting(bench: Bench, name: str) -> bool:
    """Whether the router's guard still waits, or cannot be asked yet."""
    try:
        with connect(bench.access(name), LIMITS) as remote:
            return bool(ask(remote).armed)
    except WorkError:
        return True


def test_a_second_manager_is_told_who_works_there(bench: Bench) -> None:
    hold = program.Hold("elsewhere", "12", "run-12-x", 120)
    with connect(bench.access("r1"), LIMITS) as remote:
        assert remote.run(program.take(hold, TOKEN)).code == 0
    held = bench.look()
    outcome = bench.do("apply", spec=OTHER, approved_digest=planned(bench, OTHER))
    assert outcome.state == "failed"
    assert "elsewhere (run 12) has been working on this router" in outcome.text
    assert bench.look() == held
    bench.sh("r1", "rm /var/lib/lbftp/owner")


def test_a_worker_that_died_with_everything_done_is_no_loss(bench: Bench) -> None:
    """Another one finds the change complete and both guards waiting: it confirms."""
    with pytest.raises(ClaimLost):
        watched(bench, at_step("", "look-again", die), spec=OTHER, approved_digest=planned(bench, OTHER), run_id=7)
    assert all(g.armed for g in guards(bench).values())
    outcome = bench.do("apply", spec=OTHER, run_id=7, fence=2, approved_digest="x")
    assert outcome.state == "succeeded", outcome.text
    with connected(bench.job().routers, LIMITS) as pair:
        assert plan(OTHER, look(pair)).empty


def test_a_worker_that_died_half_way_is_put_right(bench: Bench) -> None:
    held = bench.look()
    with pytest.raises(ClaimLost):
        watched(bench, at_step("r1", "rules", die), approved_digest=planned(bench), run_id=8)
    outcome = bench.do("apply", run_id=8, fence=2, approved_digest="x")
    assert (outcome.state, "put back" in outcome.text) == ("failed", True)
    assert bench.look() == held


def test_a_dry_run_changes_nothing_and_says_what_would_follow(bench: Bench) -> None:
    held = bench.look()
    outcome = bench.do("apply", approved_digest=planned(bench), dry=True)
    assert outcome.state == "succeeded", outcome.text
    assert "Nothing was changed" in outcome.text
    assert bench.seen.steps("r1") == ["keepalived-check"]
    assert bench.look() == held
