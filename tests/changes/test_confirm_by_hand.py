"""A person confirms a run that waits for one: who may, when, and what its worker and its page are told."""

from __future__ import annotations

import pytest

from lbftp.changes import services
from lbftp.changes.errors import Refused
from lbftp.changes.models import Run
from lbftp.changes.services import checks, runs
from lbftp.clusters.models import Cluster
from lbftp.core.job import Event, Job, Orders
from tests.conftest import Race
from tests.worlds import World, applied, approved, claimed

pytestmark = pytest.mark.django_db


def waiting(world: World) -> tuple[Run, Job]:
    """An apply that was proven and kept, and stands still."""
    Cluster.objects.update(confirm_by_hand=True)
    run = services.apply_change(user=world.bob, change=approved(world))
    job = claimed(run)
    runs.record(run_id=run.pk, fence=job.fence, events=[Event("phase", "", {"name": "await", "title": "Wait"})])
    return run, job


def told(job: Job) -> Orders | None:
    return runs.heartbeat(run_id=job.run_id, fence=job.fence)


def test_the_worker_is_told_who_confirmed_as_often_as_it_asks(world: World) -> None:
    run, job = waiting(world)
    assert job.by_hand
    assert told(job) == Orders()
    after = services.confirm(user=world.carol, run=run)
    assert (after.confirmed_by, after.state) == (world.carol, Run.State.RUNNING)
    assert [told(job), told(job)] == [Orders(confirm="carol")] * 2
    assert run.events.last().data["text"] == "carol confirmed it: the change stays."  # type: ignore[union-attr]


def test_a_second_worker_is_told_as_well(world: World) -> None:
    """Whoever takes a dead worker's run over does not ask for the person again."""
    run, _ = waiting(world)
    services.confirm(user=world.bob, run=run)
    Run.objects.update(heartbeat_at=None)
    assert told(claimed(run)) == Orders(confirm="bob")


def test_only_a_run_that_waits_for_a_person(world: World) -> None:
    run = services.apply_change(user=world.bob, change=approved(world))
    with pytest.raises(Refused, match="does not wait for a person"):
        services.confirm(user=world.bob, run=run)
    job = claimed(run)
    runs.record(run_id=run.pk, fence=job.fence, events=[Event("phase", "", {"name": "prove", "title": "Prove"})])
    with pytest.raises(Refused, match="does not wait for a person"):
        services.confirm(user=world.bob, run=run)


def test_put_back_and_confirm_exclude_each_other(world: World) -> None:
    run, job = waiting(world)
    services.confirm(user=world.carol, run=run)
    with pytest.raises(Refused, match="carol has confirmed it already"):
        services.cancel(user=world.bob, run=run)
    with pytest.raises(Refused, match="carol has confirmed it already"):
        services.confirm(user=world.bob, run=run)
    Run.objects.update(confirmed_at=None, confirmed_by=None)
    services.cancel(user=world.bob, run=run)
    with pytest.raises(Refused, match="bob has cancelled it already"):
        services.confirm(user=world.carol, run=run)
    assert told(job) == Orders("Cancelled by bob.")


@pytest.mark.django_db(transaction=True)
def test_confirming_and_putting_back_at_once(world: World, race: Race) -> None:
    run, job = waiting(world)
    results = race(
        lambda: services.confirm(user=world.bob, run=run), lambda: services.cancel(user=world.carol, run=run)
    )
    assert sorted(isinstance(r, Refused) for r in results) == [False, True]
    orders = told(job)
    assert orders is not None
    assert bool(orders.cancel) != bool(orders.confirm)


@pytest.mark.parametrize("who", ["victor", "mallory", "root"])
def test_who_may_not(world: World, who: str) -> None:
    run, _ = waiting(world)
    with pytest.raises(Refused):
        services.confirm(user=getattr(world, who), run=run)


def test_repairs_by_compliance_wait_for_nobody(world: World) -> None:
    applied(world)
    Cluster.objects.update(confirm_by_hand=True)
    run = checks.comply(user=world.bob, cluster=Cluster.objects.get(), reapply=True)
    assert not claimed(run).by_hand
