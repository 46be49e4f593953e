"""A claimed run from claim to end with the real database: what people ask of it while it goes on decides how it ends."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from lbftp.changes import services
from lbftp.changes.models import ChangeRequest, Lease, Run
from lbftp.changes.services import orders, runs
from lbftp.clusters.models import Cluster
from lbftp.core.job import Job
from lbftp.core.plan import Plan
from lbftp.core.plan import plan as make_plan
from lbftp.core.program import Hold
from tests.conftest import Race
from tests.core.cases import GUIDE, pair
from tests.worlds import World, approved, draft
from workers import execution
from workers.by_hand import Standstill, await_person
from workers.outcome import Outcome
from workers.remote import Limits
from workers.report import PAIR, Report

pytestmark = pytest.mark.django_db(transaction=True)

Work = Callable[[Job, Report, Limits], Outcome]


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Callable[[Work], None]:
    """Says what an apply does here: nothing on routers, the rest is as it is."""

    def use(one: Work) -> None:
        monkeypatch.setattr(execution, "KINDS", {"apply": one})

    return use


def steps(report: Report, until: Callable[[], bool]) -> None:
    for n in range(400):
        with report.doing(PAIR, f"s{n}", "One more"):
            time.sleep(0.02)
        if until():
            return
    raise AssertionError("nobody was heard")


def begun(run: Run) -> None:
    while not run.events.exists():
        time.sleep(0.02)


def test_cancelled_between_two_steps(world: World, race: Race, work: Callable[[Work], None]) -> None:
    run = services.apply_change(user=world.bob, change=approved(world))

    def endless(_job: Job, report: Report, _limits: Limits) -> Outcome:
        steps(report, lambda: False)
        raise AssertionError

    def order() -> None:
        begun(run)
        runs.cancel(user=world.carol, run=run)

    work(endless)
    assert race(lambda: execution.run_claimed(run.pk), order) == [None, None]
    run.refresh_from_db()
    assert (run.state, run.outcome) == (Run.State.CANCELLED, "Cancelled by carol.")
    # Every step that began also ended.
    states = [e.data["state"] for e in run.events.filter(kind="step")]
    assert set(states) == {"started", "done"}
    assert states.count("started") == states.count("done")
    assert ChangeRequest.objects.get().state == ChangeRequest.State.APPROVED


def test_an_extension_reaches_the_rollout_once(world: World, race: Race, work: Callable[[Work], None]) -> None:
    run = services.apply_change(user=world.bob, change=approved(world))
    heard: list[int] = []

    def extended(_job: Job, report: Report, _limits: Limits) -> Outcome:
        report.on_extend = lambda: heard.append(1)
        steps(report, lambda: bool(heard))
        report.check()
        return Outcome("succeeded", "Done.")

    def order() -> None:
        begun(run)
        services.extend(user=world.carol, run=run)

    work(extended)
    assert race(lambda: execution.run_claimed(run.pk), order) == [None, None]
    run.refresh_from_db()
    assert (run.state, heard) == (Run.State.SUCCEEDED, [1])


def test_of_two_clusters_on_one_pair_the_second_waits(world: World, race: Race, work: Callable[[Work], None]) -> None:
    """It says for which run, begins when that one is over, and knows what was applied meanwhile."""
    first = services.apply_change(user=world.bob, change=approved(world))
    neighbour = Cluster.objects.create(
        team=world.team, name="media", draft=draft(vip="192.0.2.101", mark=31, vrrp={"vrid": 31, "group": "web"})
    )
    Cluster.objects.filter(pk=world.cluster.pk).update(applied=None)
    told: list[tuple[int, int]] = []

    def apply(job: Job, report: Report, _limits: Limits) -> Outcome:
        told.append((job.run_id, len(job.others)))
        if job.run_id == first.pk:
            steps(report, lambda: Run.objects.get(pk=second.pk).events.filter(kind="phase").exists())
        return Outcome("succeeded", "Done.")

    def order() -> None:
        begun(first)
        execution.run_claimed(second.pk)

    work(apply)
    second = services.apply_change(user=world.bob, change=approved(dataclasses.replace(world, cluster=neighbour)))
    assert race(lambda: execution.run_claimed(first.pk), order) == [None, None]
    phases = [e.data["title"] for e in second.events.filter(kind="phase")]
    assert phases == [f"Wait for run {first.pk} of web on r1 and r2"]
    # The first cluster's revision was applied while the second waited: its job has it among the others.
    assert told == [(first.pk, 0), (second.pk, 1)]
    assert Run.objects.get(pk=second.pk).state == Run.State.SUCCEEDED


def test_waiting_for_another_run_has_an_end(
    world: World, work: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = services.apply_change(user=world.bob, change=approved(world))
    other = Run.objects.create(team=world.team, kind="apply", cluster=world.cluster, state="running")
    Lease.objects.create(router=world.r1, run=other, expires_at=timezone.now() + timedelta(hours=1))
    monkeypatch.setattr(execution, "LEASE_WAIT_SECONDS", 0)
    work(lambda *_: Outcome("succeeded", "never"))
    execution.run_claimed(run.pk)
    run.refresh_from_db()
    assert run.state == Run.State.FAILED
    assert run.outcome == f"It waited 0 s for run {other.pk} of web on r1, and touched nothing: start it again."


def test_it_stands_still_until_a_person_confirms(world: World, race: Race, work: Callable[[Work], None]) -> None:
    Cluster.objects.update(confirm_by_hand=True)
    run = services.apply_change(user=world.bob, change=approved(world))
    hold = Hold("m", "1", "run-1-a", 60)

    def held(job: Job, report: Report, limits: Limits) -> Outcome:
        await_person(Standstill(job, hold, ["r1"], 60), report, limits)
        return Outcome("succeeded", "Kept.")

    def order() -> None:
        while not orders.awaits(run):
            time.sleep(0.05)
        services.confirm(user=world.carol, run=run)

    work(held)
    assert race(lambda: execution.run_claimed(run.pk), order) == [None, None]
    run.refresh_from_db()
    assert (run.state, run.confirmed_by) == (Run.State.SUCCEEDED, world.carol)


def test_nobody_confirms_in_time(world: World, work: Callable[[Work], None]) -> None:
    run = services.apply_change(user=world.bob, change=approved(world))

    def held(job: Job, report: Report, limits: Limits) -> Outcome:
        await_person(Standstill(job, Hold("m", "1", "run-1-a", 60), ["r1"], 6), report, limits)
        raise AssertionError

    work(held)
    execution.run_claimed(run.pk)
    run.refresh_from_db()
    assert run.state == Run.State.FAILED
    assert run.outcome == "Nobody confirmed the change before its guards' time was over."


@pytest.mark.parametrize("verb", ["take_leases", "job_again", "finish"])
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_was_away_for_a_moment_changes_nothing(
    world: World, work: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch, verb: str, error: type[Exception]
) -> None:
    run = services.apply_change(user=world.bob, change=approved(world))
    away = [error("the connection is closed"), error("connection refused")]
    real = getattr(runs, verb)

    def now_and_then(**values: Any) -> Any:
        if away:
            raise away.pop()
        return real(**values)

    monkeypatch.setattr(runs, verb, now_and_then)
    if verb == "job_again":
        monkeypatch.setattr(execution, "_take_leases", lambda _job, _report: True)
    work(lambda _job, _report, _limits: Outcome("succeeded", "Applied."))
    execution.run_claimed(run.pk)
    run.refresh_from_db()
    assert (run.state, run.outcome, run.attempts, away) == (Run.State.SUCCEEDED, "Applied.", 1, [])


def test_a_database_that_stays_away_takes_the_run_from_its_worker(
    world: World, work: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came of it is not kept by halves: another worker looks at the routers and says how it ended."""
    run = services.apply_change(user=world.bob, change=approved(world))

    def gone(**_values: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(runs, "finish", gone)
    monkeypatch.setattr(execution, "PATIENCE_SECONDS", 0.6)
    work(lambda _job, _report, _limits: Outcome("failed", "Another plan.", stale=plan_of()))
    execution.run_claimed(run.pk)
    run.refresh_from_db()
    assert (run.state, run.outcome) == (Run.State.RUNNING, "")
    assert ChangeRequest.objects.get().state == ChangeRequest.State.APPLYING


def plan_of() -> Plan:
    return make_plan(GUIDE, pair("fresh"))
