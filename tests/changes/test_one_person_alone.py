"""Ways by which one person alone once got a change applied, kept unproven, or approved by nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from lbftp.accounts.models import Account, Membership, Role
from lbftp.accounts.services import set_role
from lbftp.changes import approvals, services
from lbftp.changes.errors import LostClaim, Refused, ServiceError
from lbftp.changes.models import Approval, ChangeRequest, Run
from lbftp.changes.services import runs
from lbftp.clusters.models import Cluster
from lbftp.clusters.services import dump, load, set_approvals_required
from lbftp.compliance import services as compliance
from lbftp.compliance.models import Policy
from lbftp.core import hostkey
from lbftp.daytwo.services import acting
from lbftp.inventory import services as inventory
from lbftp.proofs.services import proposing, windows
from tests import worlds
from tests.worlds import World, applied, approved, finished, planned, proposed

pytestmark = pytest.mark.django_db
C = ChangeRequest.State


def now(change: ChangeRequest) -> ChangeRequest:
    return ChangeRequest.objects.select_related("cluster").get(pk=change.pk)


def approve(user: User, change: ChangeRequest) -> None:
    change = now(change)
    services.approve(user=user, change=change, plan_digest=change.plan_digest)


def apply(user: User, change: ChangeRequest) -> Run:
    return services.apply_change(user=user, change=change)


def set_(world: World, user: User, **changes: Any) -> None:
    """`user` saves other settings of the cluster."""
    load(user=user, team=world.team, data={**dump(Cluster.objects.get(pk=world.cluster.pk)), **changes})


def put(world: World, user: User, role: Role | None) -> None:
    set_role(user=world.alice, membership=Membership.objects.get(team=world.team, user=user), role=role)


# People who were not there.


def test_whoever_was_added_after_the_proposal_approves_nothing_of_it(world: World) -> None:
    change = proposed(world)
    dora = worlds.person("dora", world.team, Role.OPERATOR)
    with pytest.raises(Refused, match=r"after this was proposed.*proposed anew"):
        approve(dora, change)


def test_planning_again_is_no_way_round(world: World) -> None:
    change = proposed(world)
    dora = worlds.person("dora", world.team, Role.OPERATOR)
    planned(services.replan(user=world.alice, change=change), "e" * 64)
    with pytest.raises(Refused, match="after this was proposed"):
        approve(dora, change)


def test_a_viewer_made_an_operator_after_the_proposal_approves_nothing_of_it(world: World) -> None:
    change = proposed(world)
    put(world, world.victor, Role.OPERATOR)
    with pytest.raises(Refused, match="after this was proposed"):
        approve(world.victor, change)


def test_taken_out_and_added_again_is_new(world: World) -> None:
    change = proposed(world)
    put(world, world.bob, None)
    Membership.objects.create(team=world.team, user=world.bob, role=Role.OPERATOR)
    with pytest.raises(Refused, match="after this was proposed"):
        approve(world.bob, change)


def test_whose_password_somebody_else_knows_approves_nothing(world: World) -> None:
    Account.objects.create(user=world.bob, must_change=True)
    change = proposed(world)
    with pytest.raises(Refused, match="Set a password of your own first"):
        approve(world.bob, change)
    assert change not in approvals.waiting_for(world.bob)


def test_a_new_way_to_sign_in_from_somebody_else_counts_like_a_new_person(world: World) -> None:
    account = Account.objects.create(user=world.bob)
    change = proposed(world)
    approve(world.bob, change)
    Account.objects.filter(pk=account.pk).update(credentials_since=timezone.now())
    with pytest.raises(ServiceError, match=r"bob got a new way to sign in from somebody else on "):
        apply(world.alice, change)
    with pytest.raises(Refused, match="new way to sign in"):
        approve(world.bob, change)
    assert change not in approvals.waiting_for(world.bob)


# People who are there no more.


def removed(world: World) -> None:
    put(world, world.bob, None)


def demoted(world: World) -> None:
    put(world, world.bob, Role.VIEWER)


def locked(world: World) -> None:
    User.objects.filter(pk=world.bob.pk).update(is_active=False)


@pytest.mark.parametrize("gone", [removed, demoted, locked])
def test_approvals_of_people_who_may_not_decide_any_more_do_not_count(
    world: World, gone: Callable[[World], None]
) -> None:
    change = approved(world)
    gone(world)
    with pytest.raises(ServiceError, match=r"0 of 1 approvals count now \(bob "):
        apply(world.alice, change)
    assert now(change).state == C.PROPOSED
    approve(world.carol, change)
    apply(world.alice, change)


@pytest.mark.parametrize("gone", [removed, demoted, locked])
def test_the_worker_asks_once_more_before_it_begins(world: World, gone: Callable[[World], None]) -> None:
    change = approved(world)
    run = apply(world.alice, change)
    gone(world)
    assert runs.claim(run_id=run.pk, worker="w") is None
    run.refresh_from_db()
    assert (run.state, now(change).state) == (Run.State.FAILED, C.PROPOSED)
    assert run.outcome.startswith("Nothing was touched. 0 of 1 approvals count now (bob ")
    assert Cluster.objects.get().state == Cluster.State.UNKNOWN


def test_a_worker_that_takes_over_sees_to_the_routers_first(world: World) -> None:
    """What a dead worker left half done there is put right, whoever may approve by now."""
    change = approved(world)
    run = apply(world.alice, change)
    worlds.claimed(run)
    removed(world)
    Run.objects.filter(pk=run.pk).update(heartbeat_at=None)
    assert runs.claim(run_id=run.pk, worker="another") is not None


def test_the_worker_asks_again_after_it_waited_for_the_routers(world: World) -> None:
    change = approved(world)
    job = worlds.claimed(apply(world.alice, change))
    removed(world)
    with pytest.raises(LostClaim):
        runs.job_again(run_id=job.run_id, fence=job.fence)
    assert now(change).state == C.PROPOSED
    assert Run.objects.get(pk=job.run_id).state == Run.State.FAILED


# The number.


def test_fewer_approvals_are_for_what_is_proposed_later(world: World) -> None:
    set_approvals_required(user=world.alice, cluster=world.cluster, number=2)
    change = proposed(world)
    set_approvals_required(user=world.alice, cluster=world.cluster, number=1)
    planned(services.replan(user=world.alice, change=change), "e" * 64)
    approve(world.bob, change)
    with pytest.raises(Refused, match="Waiting for approval"):
        apply(world.alice, change)
    approve(world.carol, change)
    apply(world.alice, change)


# Whoever shaped it.


def choose_interfaces(world: World, user: User) -> None:
    world.r1.facts["interfaces"].append({"name": "eth4", "addresses": ["10.0.50.9/24", "fd00:50::9/64"]})
    world.r1.save(update_fields=["facts"])
    inventory.set_interfaces(user=user, router=world.r1, public_interface="eth1", internal_interface="eth4")


def test_whoever_chose_an_interface_is_an_editor(world: World) -> None:
    put(world, world.carol, Role.ADMIN)
    choose_interfaces(world, world.carol)
    change = proposed(world)
    with pytest.raises(Refused, match="You edited"):
        approve(world.carol, change)
    approve(world.bob, change)


def probes_off(world: World, user: User) -> None:
    set_(world, user, probe={})


def another_file(world: World, user: User) -> None:
    set_(world, user, probe={**dump(Cluster.objects.get())["probe"], "path": "other.bin"})


def guard_short(world: World, user: User) -> None:
    set_(world, user, guard_seconds=30)


def by_hand(world: World, user: User) -> None:
    set_(world, user, confirm_by_hand=True)


def another_key(world: World, user: User) -> None:
    world.r1.offered_key = worlds.host_key()
    world.r1.save(update_fields=["offered_key"])
    put(world, user, Role.ADMIN)
    fingerprint = hostkey.fingerprint(world.r1.offered_key)
    inventory.confirm_host_key(user=user, host=world.r1, fingerprint=fingerprint)


SHAPES = [probes_off, another_file, guard_short, by_hand, another_key]


@pytest.mark.parametrize("shape", SHAPES)
def test_whoever_changed_how_it_is_tested_or_guarded_is_an_editor(
    world: World, shape: Callable[[World, User], None]
) -> None:
    shape(world, world.carol)
    change = proposed(world)
    with pytest.raises(Refused, match="tested or guarded"):
        approve(world.carol, change)
    approve(world.bob, change)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_tested_and_guarded_otherwise_than_approved_is_not_applied(
    world: World, shape: Callable[[World, User], None]
) -> None:
    change = approved(world)
    shape(world, world.carol)
    with pytest.raises(ServiceError, match=r"was changed since it was planned: .*: .*, now "):
        apply(world.alice, change)
    planned(services.replan(user=world.alice, change=change))
    assert now(change).state == C.PROPOSED
    with pytest.raises(Refused, match="tested or guarded"):
        approve(world.carol, change)


@pytest.mark.parametrize("shape", SHAPES)
def test_nor_is_it_approved(world: World, shape: Callable[[World, User], None]) -> None:
    change = proposed(world)
    shape(world, world.alice)
    with pytest.raises(Refused, match="was changed since it was planned"):
        approve(world.bob, change)


@pytest.mark.parametrize("shape", SHAPES)
def test_nor_does_a_worker_begin_it(world: World, shape: Callable[[World, User], None]) -> None:
    change = approved(world)
    run = apply(world.alice, change)
    shape(world, world.carol)
    assert runs.claim(run_id=run.pk, worker="w") is None
    run.refresh_from_db()
    assert (run.state, now(change).state) == (Run.State.FAILED, C.STALE)
    assert run.outcome.startswith("Nothing was touched. How this change is tested")


def test_while_it_is_applied_other_settings_change_nothing_of_it(world: World) -> None:
    job = worlds.claimed(apply(world.alice, approved(world)))
    probes_off(world, world.carol)
    by_hand(world, world.carol)
    assert (job.by_hand, job.guard, [probe.name for probe in job.probes]) == (False, 120, ["client"])


def test_an_edit_during_the_apply_stays_its_editors(world: World) -> None:
    guard_short(world, world.carol)
    change = proposed(world)
    approve(world.bob, change)
    run = apply(world.alice, change)
    job = worlds.claimed(run)
    probes_off(world, world.carol)
    runs.finish(run_id=run.pk, fence=job.fence, state="succeeded", outcome="Done.", result={})
    with pytest.raises(Refused, match="tested or guarded"):
        approve(world.carol, proposed(world))


def test_once_approved_and_applied_the_edit_is_nobodys_own_any_more(world: World) -> None:
    guard_short(world, world.carol)
    applied(world)
    approve(world.carol, proposed(world))


# What stands in for an approval.


NOW: dict[str, Any] = {"cron": "* * * * *", "minutes": 60, "time_zone": "UTC", "enabled": True}


def ready(world: World, change: ChangeRequest) -> ChangeRequest:
    planned(change.runs.get())
    return now(change)


def test_a_window_set_after_the_proposal_lets_nothing_through(world: World) -> None:
    applied(world)
    change = ready(world, proposing.restart(user=world.alice, cluster=world.cluster))
    windows.set_window(user=world.alice, cluster=world.cluster, **NOW)
    with pytest.raises(Refused, match="was set after this change was proposed"):
        apply(world.alice, change)


def test_day_two_alone_allowed_after_the_proposal_lets_nothing_through(world: World) -> None:
    applied(world)
    change = ready(world, acting.drain(user=world.alice, cluster=world.cluster, server="ftp1"))
    acting.allow_operators(user=world.alice, cluster=world.cluster, alone=True)
    with pytest.raises(Refused, match="only since after this was asked for"):
        apply(world.alice, change)


def test_nothing_stands_in_for_an_approval_of_other_tests(world: World) -> None:
    applied(world)
    acting.allow_operators(user=world.alice, cluster=world.cluster, alone=True)
    probes_off(world, world.bob)
    world.cluster.refresh_from_db()
    change = ready(world, acting.drain(user=world.bob, cluster=world.cluster, server="ftp1"))
    with pytest.raises(Refused, match="tested or guarded was changed since one was approved"):
        apply(world.bob, change)


def test_an_exemption_taken_back_holds_until_the_worker_begins(world: World) -> None:
    applied(world)
    acting.allow_operators(user=world.alice, cluster=world.cluster, alone=True)
    world.cluster.refresh_from_db()
    change = ready(world, acting.drain(user=world.bob, cluster=world.cluster, server="ftp1"))
    run = apply(world.bob, change)
    assert run.exemption.startswith("Day-two change")
    acting.allow_operators(user=world.alice, cluster=world.cluster, alone=False)
    assert runs.claim(run_id=run.pk, worker="w") is None
    assert now(change).state == C.PROPOSED


# Used once.


@pytest.mark.parametrize("state", [Run.State.FAILED, Run.State.ERRORED])
def test_what_failed_is_approved_by_somebody_again(world: World, state: str) -> None:
    change = approved(world)
    finished(apply(world.bob, change), state)
    planned(services.replan(user=world.alice, change=change))
    assert now(change).state == C.PROPOSED
    with pytest.raises(Refused, match="Waiting for approval"):
        apply(world.alice, change)
    approve(world.bob, change)
    assert now(change).state == C.APPROVED
    assert Approval.objects.filter(change=change, user=world.bob).count() == 2


def test_what_was_cancelled_and_restored_stays_approved_by_those_who_did(world: World) -> None:
    change = approved(world)
    finished(apply(world.bob, change), Run.State.CANCELLED)
    assert now(change).state == C.APPROVED
    reasons = world.team.transitions.filter(subject="change", new=C.APPROVED).values_list("reason", flat=True)
    assert "bob approved" in list(reasons)[-1]


# Schedules.


def set_policy(world: World, user: User, **changes: Any) -> Policy | ChangeRequest:
    values = {"cron": "*/15 * * * *", "time_zone": "UTC", "action": "reapply", "enabled": True}
    return compliance.set_policy(user=user, cluster=world.cluster, **{**values, **changes})


def test_a_schedule_that_re_applies_is_in_force_once_somebody_else_approved_it(world: World) -> None:
    applied(world)
    change = set_policy(world, world.bob)
    assert not Policy.objects.filter(action="reapply").exists()
    assert isinstance(change, ChangeRequest)
    with pytest.raises(Refused, match="your own"):
        approve(world.bob, change)
    approve(world.carol, change)
    row = Policy.objects.get()
    assert (row.action, row.enabled, now(change).state) == ("reapply", True, C.APPLIED)
    assert row.next_due is not None


@pytest.mark.parametrize("other", [{"cron": "* * * * *"}, {"time_zone": "Europe/Vienna"}])
def test_another_time_of_re_applying_is_approved_as_well(world: World, other: dict[str, Any]) -> None:
    applied(world)
    worlds.scheduled(world, cron="*/15 * * * *", time_zone="UTC", action="reapply", enabled=True)
    assert isinstance(set_policy(world, world.bob, **other), ChangeRequest)
    assert Policy.objects.get().cron == "*/15 * * * *"


def test_reporting_and_switching_off_need_nobody(world: World) -> None:
    applied(world)
    assert isinstance(set_policy(world, world.bob, action="report"), Policy)
    worlds.scheduled(world, cron="*/15 * * * *", time_zone="UTC", action="reapply", enabled=True)
    assert isinstance(set_policy(world, world.bob, enabled=False), Policy)
    assert isinstance(set_policy(world, world.bob), ChangeRequest), "switching it on again is approved as well"


def test_a_schedule_is_proposed_once_and_nothing_is_applied_or_tried_of_it(world: World) -> None:
    applied(world)
    change = set_policy(world, world.bob)
    assert isinstance(change, ChangeRequest)
    with pytest.raises(Refused, match="waiting for approval already"):
        set_policy(world, world.bob)
    for act in (services.apply_change, services.dry_run, services.replan):
        with pytest.raises(Refused):
            act(user=world.carol, change=change)
    assert not Run.objects.filter(change=change).exists()
