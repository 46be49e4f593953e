"""Proposing to roll back to before a run, what is offered, and what the end of a roll-back means for the cluster."""

from __future__ import annotations

import pytest
from django.utils import timezone

from lbftp.changes import services
from lbftp.changes.errors import Refused
from lbftp.changes.models import ChangeRequest, Run, RunEvent
from lbftp.changes.services import checkpoints, runs
from lbftp.clusters.models import Cluster
from tests.cli.test_cli import cli
from tests.worlds import World, applied, claimed, planned

pytestmark = pytest.mark.django_db


def left(world: World, *names: str) -> Run:
    """An apply that succeeded and left a checkpoint on the named routers."""
    change = applied(world)
    run = change.runs.get(kind="apply")
    for seq, name in enumerate(names, 900):
        data = {"name": f"run-{run.pk}-{name}"}
        RunEvent.objects.create(run=run, seq=seq, at=timezone.now(), kind="checkpoint", router=name, data=data)
    return run


def test_a_change_of_its_own_kind_is_proposed_and_planned(world: World) -> None:
    first, second = left(world, "r1", "r2"), left(world, "r1", "r2")
    change = services.roll_back(user=world.bob, run=second, reason="It was slower.")
    assert (change.kind, change.state, change.author) == ("rollback", "planning", world.bob)
    assert change.title == f"Roll web back to before run {second.pk}"
    assert change.params["checkpoints"] == {"r1": f"run-{second.pk}-r1", "r2": f"run-{second.pk}-r2"}
    assert change.params["to"]["revision"] == first.revision_id
    assert services.roll_back(user=world.bob, run=first).params["to"] is None
    job = claimed(change.runs.get())
    assert (job.kind, job.change, job.params["run"], job.applied_number) == ("plan", "rollback", second.pk, 2)


def test_what_cannot_be_rolled_back_is_said(world: World) -> None:
    run = left(world, "r1")
    with pytest.raises(Refused, match="operator"):
        services.roll_back(user=world.victor, run=run)
    Run.objects.filter(pk=run.pk).update(state=Run.State.FAILED)
    run.refresh_from_db()
    with pytest.raises(Refused, match="does not stand; it is: Failed"):
        services.roll_back(user=world.bob, run=run)
    with pytest.raises(Refused, match="no apply or roll-back"):
        services.roll_back(user=world.bob, run=services.verify(user=world.bob, cluster=world.cluster))
    bare = left(world)
    with pytest.raises(Refused, match="has no checkpoint on the routers"):
        services.roll_back(user=world.bob, run=bare)


def test_of_more_than_twenty_the_oldest_is_not_offered(world: World) -> None:
    run = left(world, "r1")
    for seq in range(20):
        other = Run.objects.create(team=world.team, kind="apply", cluster=world.cluster, state="failed")
        data = {"name": f"run-{other.pk}-x{seq}"}
        RunEvent.objects.create(run=other, seq=1, at=timezone.now(), kind="checkpoint", router="r1", data=data)
    assert checkpoints.of_pair(world.team, ["r1", "r2"]) == []
    with pytest.raises(Refused, match="none of the last 20"):
        services.roll_back(user=world.bob, run=run)


def rolled_back(world: World, run: Run) -> Run:
    change = services.roll_back(user=world.bob, run=run)
    planned(change.runs.get())
    change.refresh_from_db()
    services.approve(user=world.carol, change=change, plan_digest=change.plan_digest)
    going = services.apply_change(user=world.bob, change=change)
    job = claimed(going)
    runs.finish(run_id=going.pk, fence=job.fence, state="succeeded", outcome="Back.", result={})
    return Run.objects.get(pk=going.pk)


def test_what_is_applied_follows(world: World) -> None:
    first, second = left(world, "r1"), left(world, "r1")
    back = rolled_back(world, second)
    cluster = Cluster.objects.get()
    assert (cluster.applied_id, cluster.state) == (first.revision_id, Cluster.State.IN_STEP)
    # A roll-back can be rolled back: to what was applied before it.
    assert checkpoints.before(back) == second.revision
    third = left(world, "r1")
    assert checkpoints.before(third) == first.revision
    rolled_back(world, first)
    cluster = Cluster.objects.get()
    assert (cluster.applied, cluster.state) == (None, Cluster.State.UNKNOWN)


def test_the_command_line_proposes_it(world: World) -> None:
    run = left(world, "r1")
    answer = cli("rollback", str(run.pk), "--user", "bob", "--no-wait", "--reason", "slow", "--json")
    assert answer.status == 0, answer.err
    assert ChangeRequest.objects.get(pk=answer.json["change"]).kind == "rollback"
