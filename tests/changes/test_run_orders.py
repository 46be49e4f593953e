"""Cancelling and extending a run, dry runs, and what a worker is told of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from lbftp.accounts.models import Role
from lbftp.changes import services
from lbftp.changes.errors import Refused
from lbftp.changes.models import ChangeRequest, Lease, Run, Transition
from lbftp.changes.services import claims, outcomes, runs
from lbftp.clusters.models import Cluster
from lbftp.compliance import services as compliance
from lbftp.compliance.models import Occurrence, Policy
from lbftp.core.job import Event, Job, Orders
from tests.conftest import Race
from tests.worlds import World, applied, approved, claimed, plan, proposed

pytestmark = pytest.mark.django_db
C, R = ChangeRequest.State, Run.State


def going(world: World) -> tuple[Run, Job]:
    run = services.apply_change(user=world.bob, change=approved(world))
    return run, claimed(run)


def told(job: Job) -> Orders:
    orders = runs.heartbeat(run_id=job.run_id, fence=job.fence)
    assert orders is not None
    return orders


def end(job: Job, state: str, outcome: str = "over") -> Run:
    runs.finish(run_id=job.run_id, fence=job.fence, state=state, outcome=outcome, result={})
    return Run.objects.get(pk=job.run_id)


def test_a_waiting_run_ends_at_once_and_everything_is_as_before(world: World) -> None:
    change = approved(world)
    run = services.cancel(user=world.carol, run=services.apply_change(user=world.bob, change=change))
    assert (run.state, run.outcome) == (R.CANCELLED, "Cancelled by carol. No worker had taken it.")
    assert runs.claim(run_id=run.pk, worker="w") is None
    change.refresh_from_db()
    assert (change.state, Cluster.objects.get().state) == (C.APPROVED, Cluster.State.UNKNOWN)
    row = Transition.objects.filter(subject="run", new=R.CANCELLED).get()
    assert (row.user, row.old) == (world.carol, R.QUEUED)
    assert services.apply_change(user=world.bob, change=change).state == R.QUEUED


def test_the_worker_of_a_running_one_is_told(world: World) -> None:
    run, job = going(world)
    assert told(job) == Orders()
    services.cancel(user=world.carol, run=run)
    assert Run.objects.get(pk=run.pk).state == R.RUNNING
    # Each time, whichever thread asks.
    assert [told(job), told(job)] == [Orders("Cancelled by carol.")] * 2
    runs.take_leases(run_id=run.pk, fence=job.fence, router_names=["r1"])
    ended = end(job, R.CANCELLED, "Cancelled by carol. All is back.")
    assert (ended.state, ended.outcome) == (R.CANCELLED, "Cancelled by carol. All is back.")
    assert (ChangeRequest.objects.get().state, Cluster.objects.get().state) == (C.APPROVED, Cluster.State.UNKNOWN)
    assert not Lease.objects.filter(run=run).exists()


def test_a_second_worker_is_told_as_well(world: World) -> None:
    run, _ = going(world)
    services.cancel(user=world.carol, run=run)
    Run.objects.update(heartbeat_at=None)
    assert told(claimed(run)) == Orders("Cancelled by carol.")


def test_what_came_too_late_is_said(world: World) -> None:
    run, job = going(world)
    services.cancel(user=world.carol, run=run)
    assert end(job, R.SUCCEEDED).state == R.SUCCEEDED
    assert ChangeRequest.objects.get().state == C.APPLIED
    notes = [e.data["text"] for e in run.events.filter(kind="note")]
    assert notes[-1] == "Cancelling came too late: all of it was done by then."


def test_not_everything_put_back_is_a_failure_as_before(world: World) -> None:
    run, job = going(world)
    services.cancel(user=world.carol, run=run)
    end(job, R.FAILED, "Cancelled by carol. Not everything could be put back on r1.")
    assert (ChangeRequest.objects.get().state, Cluster.objects.get().state) == (C.FAILED, Cluster.State.FAILED)


def test_what_is_over_or_cancelled_already_is_refused(world: World) -> None:
    run, job = going(world)
    services.cancel(user=world.carol, run=run)
    with pytest.raises(Refused, match="carol has cancelled it already"):
        services.cancel(user=world.bob, run=run)
    with pytest.raises(Refused, match="not any more"):
        services.extend(user=world.bob, run=run)
    end(job, R.CANCELLED)
    with pytest.raises(Refused, match="This run is over; it is: Cancelled"):
        services.cancel(user=world.bob, run=run)


@pytest.mark.django_db(transaction=True)
def test_of_two_people_one_cancels(world: World, race: Race) -> None:
    run, _ = going(world)
    results = race(*[lambda u=u: services.cancel(user=u, run=run) for u in (world.bob, world.carol)])
    assert sorted(isinstance(r, Refused) for r in results) == [False, True]
    assert run.events.count() == 1


@pytest.mark.django_db(transaction=True)
def test_cancelling_and_claiming_at_once(world: World, race: Race) -> None:
    """Whoever is first: either no worker has it, or its worker is told."""
    run = services.apply_change(user=world.bob, change=approved(world))
    _, job = race(lambda: services.cancel(user=world.bob, run=run), lambda: runs.claim(run_id=run.pk, worker="w"))
    if isinstance(job, Job):
        assert told(job).cancel
    else:
        assert Run.objects.get(pk=run.pk).state == R.CANCELLED


@pytest.mark.parametrize("who", ["victor", "mallory", "root"])
def test_who_may_not(world: World, who: str) -> None:
    run, _ = going(world)
    for order in (services.cancel, services.extend):
        with pytest.raises(Refused):
            order(user=getattr(world, who), run=run)


def test_whoever_started_it_may_while_in_the_team(world: World) -> None:
    run, job = going(world)
    world.bob.memberships.update(role=Role.VIEWER)
    services.extend(user=world.bob, run=run)
    world.bob.memberships.all().delete()
    with pytest.raises(Refused):
        services.cancel(user=world.bob, run=run)
    assert told(job) == Orders(extend=True)


def test_an_extension_is_told_once(world: World) -> None:
    run, job = going(world)
    services.extend(user=world.carol, run=run)
    services.extend(user=world.bob, run=run)
    assert [told(job), told(job)] == [Orders(extend=True), Orders()]


def test_guards_of_what_changes_nothing_are_not_extended(world: World) -> None:
    applied(world)
    run = services.verify(user=world.bob, cluster=world.cluster)
    claimed(run)
    with pytest.raises(Refused, match="changing routers"):
        services.extend(user=world.bob, run=run)


def test_a_cancelled_planning_says_so(world: World) -> None:
    change = services.propose(user=world.alice, cluster=world.cluster, title="First", reason="")
    services.cancel(user=world.alice, run=change.runs.get())
    change.refresh_from_db()
    assert change.state == C.REFUSED
    assert "Cancelled by alice" in change.problems[0]["reason"]


@pytest.mark.parametrize("state", [R.SUCCEEDED, R.FAILED, R.ERRORED, R.CANCELLED])
def test_a_dry_run_moves_no_state(world: World, state: str) -> None:
    change = proposed(world)
    run = services.dry_run(user=world.alice, change=change)
    job = claimed(run)
    assert (job.kind, job.dry, job.approved_digest) == ("apply", True, "d" * 64)
    end(job, state)
    change.refresh_from_db()
    assert (change.state, Cluster.objects.get().state) == (C.PROPOSED, Cluster.State.UNKNOWN)
    assert not Transition.objects.filter(subject="cluster").exclude(new="").exists()


def test_a_dry_run_beside_an_apply_does_not_end_it(world: World) -> None:
    change = approved(world)
    dry = claimed(services.dry_run(user=world.bob, change=change))
    apply = claimed(services.apply_change(user=world.bob, change=change))
    assert (dry.dry, apply.dry) == (True, False)
    end(dry, R.SUCCEEDED)
    assert ChangeRequest.objects.get().state == C.APPLYING
    end(apply, R.SUCCEEDED)
    assert ChangeRequest.objects.get().state == C.APPLIED


def test_a_dry_run_that_meets_another_plan_keeps_it_to_itself(world: World) -> None:
    change = approved(world)
    run = services.dry_run(user=world.bob, change=change)
    job = claimed(run)
    outcomes.mark_stale(run_id=run.pk, fence=job.fence, plan=plan("e" * 64), digest="e" * 64, reason="changed")
    end(job, R.FAILED)
    before = change.plan_digest
    change.refresh_from_db()
    run.refresh_from_db()
    assert (change.state, change.plan_digest) == (C.APPROVED, before)
    assert (run.result["stale"], run.result["plan_digest"]) == (True, "e" * 64)


def test_a_dry_run_needs_a_plan_and_the_role(world: World) -> None:
    change = applied(world)
    with pytest.raises(Refused, match="needs a plan that waits"):
        services.dry_run(user=world.bob, change=change)
    with pytest.raises(Refused):
        services.dry_run(user=world.victor, change=proposed(world))


def test_a_dry_run_stops_no_schedule(world: World) -> None:
    change = applied(world)
    policy = compliance.set_policy(
        user=world.bob, cluster=change.cluster, cron="* * * * *", time_zone="UTC", action="report", enabled=True
    )
    services.dry_run(user=world.bob, change=proposed(world))
    assert isinstance(policy, Policy)
    assert policy.next_due is not None
    assert [run.kind for run in compliance.claim_due(now=policy.next_due)] == ["comply"]
    assert Occurrence.objects.get().state == Occurrence.State.STARTED
    assert Policy.objects.get().next_due != policy.next_due


def test_the_job_says_how_long_and_for_whom_routers_wait(world: World) -> None:
    Cluster.objects.update(guard_seconds=300)
    _, job = going(world)
    assert (job.guard, job.owner, job.dry) == (300, settings.MANAGER_NAME, False)


def _manager(**env: str) -> subprocess.CompletedProcess[str]:
    script = "import lbftp.settings as s; print(s.MANAGER_NAME)"
    base = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(settings.BASE_DIR)}
    argv = [sys.executable, "-c", script]
    return subprocess.run(argv, env={**base, **env}, capture_output=True, text=True, check=False)


def test_each_site_has_a_name_of_its_own(tmp_path: Path) -> None:
    one, again, two = (_manager(LBFTP_VAR=str(tmp_path / name)).stdout.strip() for name in ("a", "a", "b"))
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*-[0-9a-f]{8}", one)
    assert one == again != two
    assert _manager(LBFTP_VAR=str(tmp_path), LBFTP_MANAGER="site:berlin_1").stdout.strip() == "site:berlin_1"
    for bad in ("a b", "a$(reboot)", "-x", "x" * 61, "a\nb"):
        failed = _manager(LBFTP_VAR=str(tmp_path), LBFTP_MANAGER=bad)
        assert failed.returncode != 0
        assert "LBFTP_MANAGER" in failed.stderr


def test_a_run_that_kills_its_workers_is_over_for_its_change(world: World) -> None:
    """Also when somebody cancelled it meanwhile: nobody saw it put back."""
    run, _ = going(world)
    services.cancel(user=world.carol, run=run)
    Run.objects.update(heartbeat_at=None, attempts=claims.MAX_ATTEMPTS)
    assert runs.claim(run_id=run.pk, worker="w") is None
    assert Run.objects.get(pk=run.pk).state == R.ERRORED
    assert ChangeRequest.objects.get().state == C.FAILED


def test_events_of_a_cancelled_run_end_with_the_end(world: World) -> None:
    run, job = going(world)
    runs.record(run_id=run.pk, fence=job.fence, events=[Event("note")])
    services.cancel(user=world.carol, run=run)
    end(job, R.CANCELLED)
    assert list(run.events.values_list("seq", "kind")) == [(1, "note"), (2, "note"), (3, "end")]
