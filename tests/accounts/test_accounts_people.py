from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.utils import timezone

from lbftp.accounts import services
from lbftp.accounts.models import Account, Membership, Role
from lbftp.accounts.services.first import first_administrator, new_first_code
from lbftp.accounts.services.names import require_distinct
from lbftp.changes.errors import Invalid, Refused
from lbftp.changes.models import Transition
from tests.worlds import World


@pytest.mark.parametrize(
    ("username", "password", "field"),
    [
        ("ann", "short", "password"),
        ("ann", "1234567890123", "password"),
        ("a b\n", "correct horse battery", "username"),
    ],
)
@pytest.mark.django_db
def test_bad_names_and_passwords_are_named(username: str, password: str, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        first_administrator(code=new_first_code(), username=username, password=password, team="ops")
    assert [p["field"] for p in caught.value.problems] == [field]
    assert not User.objects.exists()


@pytest.mark.django_db
def test_a_team_keeps_an_administrator(world: World) -> None:
    mine = Membership.objects.get(user=world.alice)
    for role in (Role.VIEWER, None):
        with pytest.raises(Refused, match="at least one administrator"):
            services.set_role(user=world.alice, membership=mine, role=role)
    services.set_role(user=world.alice, membership=Membership.objects.get(user=world.bob), role=Role.ADMIN)
    services.set_role(user=world.alice, membership=mine, role=None)
    assert not Membership.objects.filter(user=world.alice).exists()


def rows(world: World) -> list[tuple[str, str, str]]:
    """(who, whom, what) of the audit's rows about people of the team."""
    found = Transition.objects.filter(subject="person", team=world.team).order_by("pk")
    return [(str(row.user or "nobody"), row.name, row.what) for row in found]


@pytest.mark.django_db
def test_what_is_done_to_people_is_in_the_audit_from_what_to_what(world: World) -> None:
    bob = Membership.objects.get(user=world.bob)
    services.set_role(user=world.alice, membership=bob, role=Role.VIEWER)
    services.set_role(user=world.alice, membership=bob, role=Role.VIEWER)
    services.lock(user=world.alice, membership=bob)
    services.unlock(user=world.alice, membership=bob)
    services.set_role(user=world.alice, membership=bob, role=None)
    assert rows(world) == [
        ("alice", "bob", "Got another role."),
        ("alice", "bob", "Locked."),
        ("alice", "bob", "Unlocked."),
        ("alice", "bob", "Taken out of the team."),
    ]
    first = Transition.objects.filter(subject="person").order_by("pk")[0]
    assert (first.before, first.after) == ({"role": "operator"}, {"role": "viewer"})
    with pytest.raises(Refused, match="no longer in the team"):
        services.set_role(user=world.alice, membership=bob, role=Role.VIEWER)


@pytest.mark.django_db
def test_locking_is_for_administrators_and_never_of_oneself(world: World) -> None:
    victor = Membership.objects.get(user=world.victor)
    for user in (world.bob, world.victor, world.mallory, world.root):
        for verb in (services.lock, services.unlock):
            with pytest.raises(Refused, match="needs the role admin"):
                verb(user=user, membership=victor)
    with pytest.raises(Refused, match="your own account"):
        services.lock(user=world.alice, membership=Membership.objects.get(user=world.alice))
    with pytest.raises(Refused, match="is not locked"):
        services.unlock(user=world.alice, membership=victor)
    services.lock(user=world.alice, membership=victor)
    with pytest.raises(Refused, match="cannot sign in anyway"):
        services.lock(user=world.alice, membership=victor)


@pytest.mark.django_db
def test_somebody_who_cannot_sign_in_administers_nothing(world: World) -> None:
    """An invited or locked administrator does not count as the one that a team keeps."""
    mine, bob = Membership.objects.get(user=world.alice), Membership.objects.get(user=world.bob)
    services.set_role(user=world.alice, membership=bob, role=Role.ADMIN)
    services.lock(user=world.alice, membership=bob)
    with pytest.raises(Refused, match="at least one administrator"):
        services.set_role(user=world.alice, membership=mine, role=Role.VIEWER)
    services.unlock(user=world.alice, membership=bob)
    services.lock(user=world.bob, membership=mine)


@pytest.mark.django_db
def test_unlocking_begins_anew_what_a_member_may_decide(world: World) -> None:
    bob = Membership.objects.get(user=world.bob)
    services.lock(user=world.alice, membership=bob)
    between = timezone.now()
    services.unlock(user=world.alice, membership=bob)
    bob.refresh_from_db()
    assert bob.role_since > between


@pytest.mark.django_db
def test_people_of_before_have_to_change_the_password_that_somebody_typed_for_them(world: World) -> None:
    """The first person chose their own; nobody is locked out."""
    Account.objects.all().delete()
    import_module("lbftp.accounts.migrations.0002_accounts").mark(apps, None)
    marked = set(Account.objects.filter(must_change=True).values_list("user__username", flat=True))
    assert marked == {"bob", "carol", "victor", "mallory", "root"}


@pytest.mark.parametrize(
    "name",
    ["alice", "Alice", "ALICE", "al1ce", "a.lice", "alice-", "aIice", "system", "sy5tem", "LBFTP", "b0b", "rnallory"],
)
@pytest.mark.django_db
def test_names_that_look_alike_are_refused(world: World, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        require_distinct(name)
    assert caught.value.problems[0]["field"] == "username"


@pytest.mark.parametrize(
    "name", ["\u0430lice", "alice\u200b", "\uff41lice", "bob ", "", "-", "x" * 65, "a\nb", "a\x00b", "<b>"]
)
@pytest.mark.django_db
def test_names_are_plain_letters(world: World, name: str) -> None:
    with pytest.raises(Invalid, match="up to 64 of the letters"):
        require_distinct(name)


@pytest.mark.django_db
def test_other_names_are_free(world: World) -> None:
    for name in ("alicia", "bobby", "nina", "ci", "a.b@example.org", "carol2"):
        require_distinct(name)
