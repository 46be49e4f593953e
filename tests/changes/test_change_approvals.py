from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from lbftp.accounts.models import Membership, Role
from lbftp.changes import approvals, services
from lbftp.changes.errors import Invalid, Refused, StalePlan
from lbftp.changes.models import Approval, ChangeRequest, Run
from lbftp.changes.services import outcomes, runs
from lbftp.clusters.models import Cluster
from lbftp.clusters.services import set_approvals_required
from tests.conftest import Race
from tests.worlds import World, applied, approved, claimed, edit, finished, plan, planned, proposed

pytestmark = pytest.mark.django_db
C = ChangeRequest.State


def state(change: ChangeRequest) -> str:
    return ChangeRequest.objects.get(pk=change.pk).state


def approve(user: User, change: ChangeRequest, digest: str | None = None) -> None:
    services.approve(user=user, change=change, plan_digest=change.plan_digest if digest is None else digest)


def test_a_change_goes_all_the_way(world: World) -> None:
    change = proposed(world)
    assert change.state == C.PROPOSED
    approve(world.bob, change)
    assert state(change) == C.APPROVED
    run = services.apply_change(user=world.alice, change=change)
    assert (state(change), Cluster.objects.get().state) == (C.APPLYING, Cluster.State.APPLYING)
    finished(run, master="r1")
    cluster = Cluster.objects.get()
    assert (state(change), cluster.state, cluster.applied, cluster.master) == (
        C.APPLIED, Cluster.State.IN_STEP, change.revision, "r1",
    )  # fmt: skip


def test_authors_never_approve_their_own(world: World) -> None:
    change = proposed(world, world.bob)
    with pytest.raises(Refused, match="your own change"):
        approve(world.bob, change)
    assert state(change) == C.PROPOSED


def test_editors_never_approve(world: World) -> None:
    edit(world, world.carol, mark=22)
    change = proposed(world)
    with pytest.raises(Refused, match="You edited this revision"):
        approve(world.carol, change)
    approve(world.bob, change)


def test_an_edit_that_was_proposed_but_never_applied_stays_its_editors(world: World) -> None:
    edit(world, world.carol, mark=22)
    proposed(world)
    edit(world, world.alice, mark=23)
    with pytest.raises(Refused, match="You edited"):
        approve(world.carol, proposed(world))


def test_once_applied_former_editors_may_approve_what_others_change(world: World) -> None:
    edit(world, world.carol, mark=22)
    applied(world)
    edit(world, world.alice, mark=23)
    approve(world.carol, proposed(world))


def test_superusers_are_not_exempt(world: World) -> None:
    Membership.objects.create(team=world.team, user=world.root, role=Role.ADMIN)
    change = proposed(world, world.root)
    with pytest.raises(Refused, match="your own change"):
        approve(world.root, change)


@pytest.mark.parametrize("who", ["victor", "mallory", "root"])
def test_viewers_strangers_and_superusers_outside_do_not_approve(world: World, who: str) -> None:
    change = proposed(world)
    with pytest.raises(Refused, match="role operator"):
        approve(getattr(world, who), change)


def test_nobody_approves_twice(world: World) -> None:
    set_approvals_required(user=world.alice, cluster=world.cluster, number=2)
    change = proposed(world)
    approve(world.bob, change)
    with pytest.raises(Refused, match="decided on this plan already"):
        approve(world.bob, change)
    assert state(change) == C.PROPOSED
    approve(world.carol, change)
    assert state(change) == C.APPROVED


@pytest.mark.parametrize("digest", ["", "e" * 64])
def test_an_approval_is_of_the_plan_that_was_seen(world: World, digest: str) -> None:
    change = proposed(world)
    with pytest.raises(StalePlan, match="plan changed after you saw it"):
        approve(world.bob, change, digest)
    assert not Approval.objects.exists()


def test_another_plan_voids_the_approvals(world: World) -> None:
    change = approved(world)
    planned(services.replan(user=world.alice, change=change), "e" * 64)
    assert state(change) == C.PROPOSED
    with pytest.raises(Refused, match="Only an approved change"):
        services.apply_change(user=world.alice, change=change)


def test_the_same_plan_again_keeps_them(world: World) -> None:
    change = approved(world)
    planned(services.replan(user=world.alice, change=change))
    assert state(change) == C.APPROVED


def test_raising_the_number_of_approvals_holds_an_approved_change_back(world: World) -> None:
    change = approved(world)
    set_approvals_required(user=world.alice, cluster=world.cluster, number=2)
    with pytest.raises(StalePlan, match="1 of 2 approvals"):
        services.apply_change(user=world.alice, change=change)
    assert state(change) == C.PROPOSED
    approve(world.carol, change)
    assert services.apply_change(user=world.alice, change=change).kind == Run.Kind.APPLY


def test_at_least_one_approval_whatever_the_row_says(world: World) -> None:
    Cluster.objects.update(approvals_required=0)
    change = proposed(world)
    assert (change.state, approvals.needed(change)) == (C.PROPOSED, 1)
    with pytest.raises(Refused, match="Only an approved change"):
        services.apply_change(user=world.alice, change=change)


def test_a_rejection_wants_a_reason_and_ends_the_change(world: World) -> None:
    change = proposed(world)
    with pytest.raises(Invalid, match="reason"):
        services.reject(user=world.bob, change=change, reason="  ")
    services.reject(user=world.bob, change=change, reason="The range is wrong")
    assert state(change) == C.REJECTED
    for act in (
        lambda: approve(world.carol, change),
        lambda: services.reject(user=world.carol, change=change, reason="again"),
        lambda: services.replan(user=world.alice, change=change),
        lambda: services.apply_change(user=world.alice, change=change),
    ):
        with pytest.raises(Refused):
            act()


def test_an_approved_change_can_still_be_stopped_by_who_approved_it(world: World) -> None:
    change = approved(world)
    services.reject(user=world.bob, change=change, reason="I saw it now")
    assert state(change) == C.REJECTED
    assert not Approval.objects.get().approved


def test_a_plan_that_went_stale_shows_the_new_one_and_puts_the_cluster_back(world: World) -> None:
    applied(world)
    change = approved(world)
    before = change.plan_digest
    job = claimed(services.apply_change(user=world.bob, change=change))
    assert job.approved_digest == "d" * 64
    new = plan("f" * 64)
    outcomes.mark_stale(run_id=job.run_id, fence=job.fence, plan=new, digest="f" * 64, reason="r1 changed")
    runs.finish(run_id=job.run_id, fence=job.fence, state="failed", outcome="Stale.", result={})
    change.refresh_from_db()
    assert (change.state, change.plan) == (C.STALE, new)
    assert change.plan_digest != before
    assert Cluster.objects.get().state == Cluster.State.IN_STEP
    with pytest.raises(Refused):
        approve(world.carol, change)
    planned(services.replan(user=world.alice, change=change), "f" * 64)
    assert state(change) == C.PROPOSED


def test_a_failed_apply_is_seen_on_change_and_cluster(world: World) -> None:
    change = approved(world)
    finished(services.apply_change(user=world.bob, change=change), Run.State.FAILED)
    assert (state(change), Cluster.objects.get().state) == (C.FAILED, Cluster.State.FAILED)
    assert Cluster.objects.get().applied is None


def test_one_apply_per_cluster(world: World) -> None:
    first, second = approved(world), approved(world)
    services.apply_change(user=world.bob, change=first)
    with pytest.raises(Refused, match="Another change of web is being applied"):
        services.apply_change(user=world.bob, change=second)


def test_problems_of_the_routers_refuse_the_plan(world: World) -> None:
    change = services.propose(user=world.alice, cluster=world.cluster, title="t", reason="")
    job = claimed(change.runs.get())
    problems = [{"code": "OBS1", "severity": "error", "field": "mark", "reason": "Mark 21 is taken.", "remedy": ""}]
    outcomes.refuse_plan(run_id=job.run_id, fence=job.fence, problems=problems)
    runs.finish(run_id=job.run_id, fence=job.fence, state="failed", outcome="r1 uses mark 21.", result={})
    change.refresh_from_db()
    assert (change.state, change.problems) == (C.REFUSED, problems)


def test_a_plan_run_that_broke_says_why_on_the_change(world: World) -> None:
    change = services.propose(user=world.alice, cluster=world.cluster, title="t", reason="")
    finished(change.runs.get(), Run.State.FAILED)
    change.refresh_from_db()
    assert change.state == C.REFUSED
    assert change.problems[0]["reason"] == "It failed."
    planned(services.replan(user=world.bob, change=change))
    assert state(change) == C.PROPOSED


def test_a_draft_with_errors_is_not_proposed(world: World) -> None:
    edit(world, world.alice, floating="10.99.0.9")
    with pytest.raises(Invalid) as caught:
        services.propose(user=world.alice, cluster=world.cluster, title="t", reason="")
    assert "floating" in {p["field"] for p in caught.value.problems}
    assert not ChangeRequest.objects.exists()


@pytest.mark.parametrize("who", ["victor", "mallory", "root"])
def test_who_may_not_propose_replan_or_apply(world: World, who: str) -> None:
    user, change = getattr(world, who), approved(world)
    for act in (
        lambda: services.propose(user=user, cluster=world.cluster, title="t", reason=""),
        lambda: services.plan_only(user=user, cluster=world.cluster),
        lambda: services.replan(user=user, change=change),
        lambda: services.apply_change(user=user, change=change),
        lambda: services.reject(user=user, change=change, reason="r"),
        lambda: services.verify(user=user, cluster=world.cluster),
        lambda: services.comply(user=user, cluster=world.cluster, reapply=True),
    ):
        with pytest.raises(Refused):
            act()
    assert state(change) == C.APPROVED


@pytest.mark.django_db(transaction=True)
def test_two_proposals_at_once_get_different_revisions(world: World, race: Race) -> None:
    def propose(user: User) -> ChangeRequest:
        return services.propose(user=user, cluster=world.cluster, title="t", reason="")

    changes = race(lambda: propose(world.alice), lambda: propose(world.bob))
    numbers = sorted(c.revision.number for c in changes if isinstance(c, ChangeRequest))
    assert numbers == [1, 2]
