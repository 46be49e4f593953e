"""Who may start proofs and maintenance when, and what a router in maintenance means for everything else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from lbftp.changes import approvals, services
from lbftp.changes.errors import Invalid, Refused
from lbftp.changes.models import ChangeRequest, Run, Transition
from lbftp.changes.services import runs
from lbftp.proofs.models import Rest, Window
from lbftp.proofs.services import proposing, rests, windows
from tests.worlds import World, applied, claimed, edit, finished, planned

C = ChangeRequest.State
NIGHT: dict[str, Any] = {"cron": "30 2 * * 0", "minutes": 90, "time_zone": "Europe/Berlin", "enabled": True}


@pytest.fixture
def ready(world: World) -> World:
    applied(world)
    return world


def waiting(change: ChangeRequest) -> ChangeRequest:
    planned(change.runs.get())
    change.refresh_from_db()
    return change


def open_now(world: World, **changes: Any) -> Window:
    values: dict[str, Any] = {"cron": "* * * * *", "minutes": 60, "time_zone": "UTC", "enabled": True, **changes}
    return windows.set_window(user=world.alice, cluster=world.cluster, **values)


def out(world: World, name: str = "r1") -> None:
    """The router is taken out, with an approval."""
    change = waiting(
        proposing.maintain(user=world.alice, cluster=world.cluster, router=name, out=True, reason="New disk")
    )
    services.approve(user=world.bob, change=change, plan_digest=change.plan_digest)
    finished(services.apply_change(user=world.bob, change=change), master="r2")


def test_a_proof_waits_for_somebody_elses_approval(ready: World) -> None:
    change = waiting(proposing.restart(user=ready.bob, cluster=ready.cluster))
    assert (change.kind, change.params, change.state) == ("restart", {"foreign": "refuse"}, C.PROPOSED)
    with pytest.raises(Refused):
        services.apply_change(user=ready.bob, change=change)
    services.approve(user=ready.carol, change=change, plan_digest=change.plan_digest)
    run = services.apply_change(user=ready.bob, change=change)
    assert run.kind == Run.Kind.RESTART
    job = claimed(run)
    assert (job.change, job.params, job.approved_digest) == ("restart", {"foreign": "refuse"}, "d" * 64)


def test_who_made_what_is_applied_may_approve_its_proof_and_nobody_their_own(world: World) -> None:
    edit(world, world.carol, mark=22)
    applied(world)
    change = waiting(proposing.restart(user=world.bob, cluster=world.cluster))
    assert change in approvals.waiting_for(world.carol)
    assert change not in approvals.waiting_for(world.bob)
    with pytest.raises(Refused, match="your own change"):
        services.approve(user=world.bob, change=change, plan_digest=change.plan_digest)
    services.approve(user=world.carol, change=change, plan_digest=change.plan_digest)
    assert services.apply_change(user=world.bob, change=change).kind == Run.Kind.RESTART


def test_in_its_window_a_proof_waits_for_nobodys_decision(ready: World) -> None:
    change = waiting(proposing.failover(user=ready.bob, cluster=ready.cluster))
    assert (approvals.word(change), approvals.waiting_for(ready.carol)) == ("Waiting for approval", [change])
    open_now(ready)
    # The window lets through what is proposed from now on, not what waits already.
    assert (approvals.word(change), approvals.waiting_for(ready.carol)) == ("Waiting for approval", [change])
    services.reject(user=ready.bob, change=change, reason="Proposed anew")
    change = waiting(proposing.failover(user=ready.bob, cluster=ready.cluster))
    assert (approvals.word(change), approvals.waiting_for(ready.carol)) == ("Waiting to be started", [])


def test_in_the_window_an_operator_starts_alone_and_it_is_written_down_why(ready: World) -> None:
    open_now(ready)
    change = waiting(proposing.failover(user=ready.bob, cluster=ready.cluster))
    with pytest.raises(Exception, match="operator"):
        services.apply_change(user=ready.victor, change=change)
    finished(services.apply_change(user=ready.bob, change=change))
    change.refresh_from_db()
    assert change.state == C.APPLIED
    moved = Transition.objects.get(subject="change", subject_id=change.pk, new=C.APPROVED)
    assert moved.user == ready.bob
    assert moved.reason.startswith("The maintenance window of web is open until ")


def test_the_window_covers_no_change_of_what_routers_hold(ready: World) -> None:
    open_now(ready)
    edit(ready, ready.bob, mark=22)
    change = services.propose(user=ready.bob, cluster=ready.cluster, title="Mark", reason="")
    planned(change.runs.get())
    with pytest.raises(Refused):
        services.apply_change(user=ready.bob, change=change)
    change.refresh_from_db()
    assert change.state == C.PROPOSED


def test_a_window_that_is_switched_off_or_over_excuses_nothing(ready: World) -> None:
    change = waiting(proposing.restart(user=ready.bob, cluster=ready.cluster))
    for changes in ({"enabled": False}, {"cron": "0 0 1 1 *", "minutes": 5}):
        window = open_now(ready, **changes)
        later = timezone.now().replace(month=6)
        assert windows.excuse(change, later) == ""
        assert windows.open_until(window, later) is None


def test_a_window_keeps_to_its_own_zone(ready: World) -> None:
    window = windows.set_window(user=ready.alice, cluster=ready.cluster, **NIGHT)
    # A Sunday in winter: 02:30 in Berlin is 01:30 UTC.
    opens = datetime(2026, 1, 11, 1, 30, tzinfo=UTC)
    assert windows.open_until(window, opens - timedelta(seconds=1)) is None
    assert windows.open_until(window, opens) == opens + timedelta(minutes=90)
    assert windows.open_until(window, opens + timedelta(minutes=89)) is not None
    assert windows.open_until(window, opens + timedelta(minutes=90)) is None
    assert windows.opens_next(window, opens - timedelta(days=1)) == opens


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"cron": "61 2 * * 0"}, "cron"),
        ({"cron": "0 2 * *"}, "cron"),
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"minutes": 4}, "minutes"),
        ({"minutes": 721}, "minutes"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused_at_its_field(
    ready: World, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        windows.set_window(user=ready.alice, cluster=ready.cluster, **{**NIGHT, **changes})
    assert [p["field"] for p in refused.value.problems] == [field]
    assert not Window.objects.exists()


def test_only_administrators_set_a_window(ready: World) -> None:
    with pytest.raises(Exception, match="admin"):
        windows.set_window(user=ready.bob, cluster=ready.cluster, **NIGHT)


def test_wrong_choices_are_refused_at_their_field(ready: World) -> None:
    user, cluster = ready.bob, ready.cluster
    tries: list[tuple[str, Callable[[], ChangeRequest]]] = [
        ("foreign", lambda: proposing.restart(user=user, cluster=cluster, foreign="; reboot")),
        ("routers", lambda: proposing.reboot(user=user, cluster=cluster, routers=["r9"])),
        ("patience", lambda: proposing.reboot(user=user, cluster=cluster, patience=5)),
        ("router", lambda: proposing.maintain(user=user, cluster=cluster, router="r9", out=True)),
    ]
    for field, propose in tries:
        with pytest.raises(Invalid) as refused:
            propose()
        assert [p["field"] for p in refused.value.problems] == [field]


def test_nothing_is_proven_of_a_cluster_that_is_not_applied(world: World) -> None:
    for verb in (proposing.restart, proposing.reboot, proposing.failover):
        with pytest.raises(Refused, match="applied"):
            verb(user=world.bob, cluster=world.cluster)


def test_a_failover_needs_somebody_who_makes_sessions(ready: World) -> None:
    ready.cluster.probe_hosts.clear()
    ready.cluster.refresh_from_db()
    with pytest.raises(Refused, match="probe host"):
        proposing.failover(user=ready.bob, cluster=ready.cluster)


def test_a_router_that_is_out_stops_other_changes_and_looks_leave_it_alone(ready: World) -> None:
    change = waiting(proposing.restart(user=ready.alice, cluster=ready.cluster))
    services.approve(user=ready.bob, change=change, plan_digest=change.plan_digest)
    out(ready)
    rest = Rest.objects.get()
    assert (rest.router, rest.by, rest.reason) == (ready.r1, ready.bob, "New disk")
    with pytest.raises(Refused, match="r1 has been in maintenance"):
        services.apply_change(user=ready.bob, change=change)
    with pytest.raises(Refused, match="already"):
        proposing.maintain(user=ready.bob, cluster=ready.cluster, router="r2", out=True)
    assert claimed(services.verify(user=ready.bob, cluster=ready.cluster)).resting == {"r1"}


def test_a_router_comes_back_without_anybody_elses_approval(ready: World) -> None:
    out(ready)
    change = waiting(proposing.maintain(user=ready.bob, cluster=ready.cluster, router="r1", out=False))
    run = services.apply_change(user=ready.bob, change=change)
    assert rests.resting(ready.team, ["r1", "r2"]).keys() == {"r1"}
    finished(run, master="r1")
    assert rests.resting(ready.team, ["r1", "r2"]) == {}
    with pytest.raises(Refused, match="not in maintenance"):
        proposing.maintain(user=ready.bob, cluster=ready.cluster, router="r1", out=False)


def test_a_router_whose_way_out_failed_is_not_out(ready: World) -> None:
    open_now(ready)
    change = waiting(proposing.maintain(user=ready.bob, cluster=ready.cluster, router="r1", out=True))
    run = services.apply_change(user=ready.bob, change=change)
    job = claimed(run)
    runs.finish(run_id=run.pk, fence=job.fence, state="failed", outcome="It was put back.", result={})
    assert not Rest.objects.exists()


def test_a_router_of_which_nobody_knows_may_be_brought_back(ready: World) -> None:
    open_now(ready)
    change = waiting(proposing.maintain(user=ready.bob, cluster=ready.cluster, router="r1", out=True))
    run = services.apply_change(user=ready.bob, change=change)
    job = claimed(run)
    runs.finish(run_id=run.pk, fence=job.fence, state="errored", outcome="A bug.", result={})
    assert not Rest.objects.exists()
    back = waiting(proposing.maintain(user=ready.bob, cluster=ready.cluster, router="r1", out=False))
    finished(services.apply_change(user=ready.bob, change=back), master="r1")
    with pytest.raises(Refused, match="not in maintenance"):
        proposing.maintain(user=ready.bob, cluster=ready.cluster, router="r1", out=False)


def settings_rows(world: World) -> list[tuple[str, str]]:
    """(who, what) of settings that were changed, in order."""
    rows = Transition.objects.filter(subject="cluster", subject_id=world.cluster.pk).select_related("user")
    return [(str(row.user), row.reason) for row in rows if row.old and row.old == row.new]


def test_every_change_of_a_window_leaves_a_row(ready: World) -> None:
    windows.set_window(user=ready.alice, cluster=ready.cluster, **NIGHT)
    windows.set_window(user=ready.alice, cluster=ready.cluster, **NIGHT)
    windows.set_window(user=ready.alice, cluster=ready.cluster, **{**NIGHT, "enabled": False})
    first = "30 2 * * 0 (Europe/Berlin) for 90 minutes"
    assert settings_rows(ready) == [
        ("alice", f"Maintenance window: {first}."),
        ("alice", f"Maintenance window: {first}, switched off. Before: {first}."),
    ]
