from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from lbftp.accounts import services
from lbftp.accounts.models import Membership, Role
from lbftp.accounts.services.first import first_administrator, new_first_code
from lbftp.changes.errors import Invalid, Refused
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
def test_only_administrators_add_people(world: World) -> None:
    added = services.add_person(
        user=world.alice, team=world.team, username="dora", password="correct horse battery", role=Role.VIEWER
    )
    assert added.role == Role.VIEWER
    for user in (world.bob, world.victor, world.mallory, world.root):
        with pytest.raises(Refused):
            services.add_person(
                user=user, team=world.team, username="eve", password="correct horse battery", role=Role.ADMIN
            )


@pytest.mark.django_db
def test_a_team_keeps_an_administrator(world: World) -> None:
    mine = Membership.objects.get(user=world.alice)
    for role in (Role.VIEWER, None):
        with pytest.raises(Refused, match="at least one administrator"):
            services.set_role(user=world.alice, membership=mine, role=role)
    services.set_role(user=world.alice, membership=Membership.objects.get(user=world.bob), role=Role.ADMIN)
    services.set_role(user=world.alice, membership=mine, role=None)
    assert not Membership.objects.filter(user=world.alice).exists()
