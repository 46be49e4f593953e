"""A person's password is known to that person alone, and whoever made their link has not become them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from lbftp.accounts import access, services
from lbftp.accounts.models import Account, Invitation, Membership, Role
from lbftp.accounts.services import invitations, tokens
from lbftp.accounts.services.invitations import Invited
from lbftp.accounts.services.passwords import change_password
from lbftp.changes.errors import Invalid, Refused
from lbftp.changes.models import Transition
from tests.conftest import Race
from tests.worlds import World

PASSWORD = "correct horse battery"


def invited(world: World, name: str = "dora", role: Role = Role.OPERATOR) -> Invited:
    return invitations.invite(user=world.alice, team=world.team, username=name, role=role, address="192.0.2.7")


@pytest.mark.django_db
def test_an_invited_person_sets_the_password_and_nobody_else_knew_one(world: World) -> None:
    link = invited(world)
    dora = User.objects.get(username="dora")
    assert (dora.is_active, dora.has_usable_password()) == (False, False)
    assert access.role_of(dora, world.team) is None

    began = timezone.now()
    assert invitations.accept(token=link.token, password=PASSWORD, address="192.0.2.99") == dora
    dora.refresh_from_db()
    assert dora.check_password(PASSWORD)
    assert access.role_of(dora, world.team) == Role.OPERATOR
    since = access.credentials_since(dora)
    assert since is not None
    assert since > began

    rows = [(str(row.user), row.what, row.after) for row in Transition.objects.filter(name="dora").order_by("pk")]
    assert rows == [
        ("alice", "Invited.", {"role": "operator", "from": "192.0.2.7"}),
        (
            "dora",
            "Set a password with the link that alice made.",
            {"from": "192.0.2.99", "made from": "192.0.2.7"},
        ),
    ]


@pytest.mark.django_db
def test_a_link_that_was_used_where_it_was_made_is_told_of(world: World) -> None:
    link = invited(world)
    invitations.accept(token=link.token, password=PASSWORD, address="192.0.2.7")
    assert "from the address where it was made" in Transition.objects.filter(name="dora").latest("pk").what
    assert Invitation.objects.get().same_address


@pytest.mark.django_db
def test_a_link_is_kept_as_a_hash_is_good_once_and_ends(world: World) -> None:
    link = invited(world)
    row = Invitation.objects.get()
    assert link.token not in repr(row.__dict__)
    assert row.token_hash == tokens.token_hash(link.token)
    for wrong in ("", "x", link.token[:-1], row.token_hash, "\x00"):
        with pytest.raises(Refused, match="not valid"):
            invitations.valid(wrong)
    with pytest.raises(Invalid, match="too short"):
        invitations.accept(token=link.token, password="short", address="")
    Invitation.objects.update(expires_at=timezone.now())
    with pytest.raises(Refused, match="not valid"):
        invitations.accept(token=link.token, password=PASSWORD, address="")
    Invitation.objects.update(expires_at=timezone.now() + timedelta(hours=1))
    invitations.accept(token=link.token, password=PASSWORD, address="")
    with pytest.raises(Refused, match="not valid"):
        invitations.accept(token=link.token, password="another long password", address="")
    assert User.objects.get(username="dora").check_password(PASSWORD)


@pytest.mark.django_db(transaction=True)
def test_of_four_who_use_a_link_at_once_one_sets_the_password(world: World, race: Race) -> None:
    link = invited(world)

    def use(number: int) -> User:
        return invitations.accept(token=link.token, password=f"{PASSWORD} {number}", address=f"192.0.2.{number}")

    found = race(*[lambda number=number: use(number) for number in range(4)])
    assert [isinstance(each, Refused) for each in found].count(False) == 1, found


@pytest.mark.django_db(transaction=True)
def test_of_two_who_look_alike_one_is_invited(world: World, race: Race) -> None:
    found = race(*[lambda name=name: invited(world, name) for name in ("nina", "n1na", "Nina", "ni.na")])
    assert [isinstance(each, Invited) for each in found].count(True) == 1, found


@pytest.mark.django_db
def test_a_new_link_ends_the_one_before_and_makes_the_account_count_from_its_use(world: World) -> None:
    """An administrator who makes a link for bob and uses it has not been bob before."""
    member = Membership.objects.get(user=world.bob)
    old = invitations.new_link(user=world.alice, membership=member, address="192.0.2.7")
    link = invitations.new_link(user=world.alice, membership=member, address="192.0.2.7")
    with pytest.raises(Refused, match="not valid"):
        invitations.valid(old.token)
    world.bob.refresh_from_db()
    assert world.bob.check_password("a long enough one")
    assert access.credentials_since(world.bob) is None

    proposed = timezone.now()
    invitations.accept(token=link.token, password=PASSWORD, address="192.0.2.7")
    since = access.credentials_since(world.bob)
    assert since is not None
    assert since > proposed
    assert [row.what for row in Transition.objects.filter(name="bob").order_by("pk")] == [
        "Got a link to set a new password.",
        "Got a link to set a new password.",
        "Set a password with the link that alice made. It was used from the address where it was made.",
    ]


@pytest.mark.django_db
def test_links_are_made_by_administrators_of_every_team_that_the_person_is_in(world: World) -> None:
    bob = Membership.objects.get(user=world.bob)
    for user in (world.bob, world.carol, world.victor, world.mallory, world.root):
        with pytest.raises(Refused):
            invitations.new_link(user=user, membership=bob)
        with pytest.raises(Refused):
            invitations.invite(user=user, team=world.team, username="eve", role=Role.ADMIN)
    with pytest.raises(Refused, match="your own account"):
        invitations.new_link(user=world.alice, membership=Membership.objects.get(user=world.alice))
    Membership.objects.create(team=world.other_team, user=world.bob, role=Role.ADMIN)
    with pytest.raises(Refused, match="belongs to another team"):
        invitations.new_link(user=world.alice, membership=bob)
    assert not Invitation.objects.exists()


@pytest.mark.django_db
def test_a_link_does_not_unlock_and_ends_with_the_membership(world: World) -> None:
    bob = Membership.objects.get(user=world.bob)
    link = invitations.new_link(user=world.alice, membership=bob)
    services.lock(user=world.alice, membership=bob)
    with pytest.raises(Refused, match="not valid"):
        invitations.accept(token=link.token, password=PASSWORD, address="")
    services.unlock(user=world.alice, membership=bob)
    services.set_role(user=world.alice, membership=bob, role=None)
    with pytest.raises(Refused, match="not valid"):
        invitations.accept(token=link.token, password=PASSWORD, address="")


@pytest.mark.django_db
def test_who_left_can_be_invited_again_and_counts_from_then(world: World) -> None:
    services.set_role(user=world.alice, membership=Membership.objects.get(user=world.bob), role=None)
    link = invited(world, "bob")
    world.bob.refresh_from_db()
    assert (world.bob.is_active, world.bob.check_password("a long enough one")) == (False, False)
    assert invitations.accept(token=link.token, password=PASSWORD, address="") == world.bob
    for taken in ("carol", "root"):
        with pytest.raises(Invalid, match="here already"):
            invited(world, taken)


@pytest.mark.django_db
def test_a_person_changes_the_own_password(world: World) -> None:

    def change(present: str, password: str) -> None:
        change_password(user=world.bob, present=present, password=password, address="192.0.2.1")

    with pytest.raises(Invalid, match="not your present"):
        change("wrong", PASSWORD)
    with pytest.raises(Invalid, match="choose another"):
        change("a long enough one", "a long enough one")
    with pytest.raises(Invalid, match="too short"):
        change("a long enough one", "short")
    change("a long enough one", PASSWORD)
    assert access.credentials_since(world.bob) is None
    Account.objects.create(user=world.bob, must_change=True)
    change(PASSWORD, "yet another long one")
    assert access.credentials_since(world.bob) is not None
    assert not Account.objects.get(user=world.bob).must_change
    assert Transition.objects.filter(name="bob", what="Changed the password.").count() == 2
