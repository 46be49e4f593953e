from __future__ import annotations

import pytest

from lbftp.changes import services, states
from lbftp.changes.errors import Refused
from lbftp.changes.models import ChangeRequest, Run, Transition
from lbftp.clusters.models import Cluster
from tests.conftest import Race
from tests.worlds import World, approved, proposed

C, R = ChangeRequest.State, Run.State


def test_the_tables_know_every_state() -> None:
    assert set(states.CHANGE_MOVES) == set(C)
    assert set(states.RUN_MOVES) == set(R)
    assert set(states.CLUSTER_MOVES) == set(Cluster.State)


def test_only_approved_changes_are_applied() -> None:
    assert [old for old, new in states.CHANGE_MOVES.items() if C.APPLYING in new] == [C.APPROVED]
    assert [old for old, new in states.CHANGE_MOVES.items() if C.APPROVED in new] == [C.PROPOSED]


@pytest.mark.django_db
def test_a_move_leaves_a_row(world: World) -> None:
    change = proposed(world)
    assert states.move(change, C.PROPOSED, C.REJECTED, user=world.bob, reason="no")
    row = Transition.objects.filter(subject="change", subject_id=change.pk).last()
    assert row is not None
    assert (row.old, row.new, row.user, row.reason, row.team) == (C.PROPOSED, C.REJECTED, world.bob, "no", world.team)


@pytest.mark.django_db
def test_a_move_from_a_state_that_is_gone_does_nothing(world: World) -> None:
    change = proposed(world)
    before = Transition.objects.count()
    assert not states.move(change, C.APPROVED, C.APPLYING)
    assert ChangeRequest.objects.get(pk=change.pk).state == C.PROPOSED
    assert Transition.objects.count() == before


@pytest.mark.django_db
def test_a_move_the_table_does_not_have_is_a_bug(world: World) -> None:
    with pytest.raises(ValueError, match="does not go from"):
        states.move(proposed(world), C.PROPOSED, C.APPLIED)


@pytest.mark.django_db(transaction=True)
def test_of_two_threads_one_moves(world: World, race: Race) -> None:
    change = proposed(world)

    def move() -> bool:
        return states.move(ChangeRequest.objects.get(pk=change.pk), C.PROPOSED, C.REJECTED, reason="race")

    assert sorted(map(bool, race(move, move))) == [False, True]
    assert Transition.objects.filter(subject="change", subject_id=change.pk, new=C.REJECTED).count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_people_applying_at_once_start_one_run(world: World, race: Race) -> None:
    change = approved(world)
    results = race(
        lambda: services.apply_change(user=world.bob, change=change),
        lambda: services.apply_change(user=world.carol, change=change),
    )
    assert [type(r) for r in results if isinstance(r, Exception)] == [Refused]
    assert change.runs.filter(kind=Run.Kind.APPLY).count() == 1
