"""Since when somebody decides in a team: what approvals are counted by."""

from __future__ import annotations

from datetime import datetime

import pytest

from lbftp.accounts import services
from lbftp.accounts.models import Membership, Role
from tests.worlds import World

pytestmark = pytest.mark.django_db


def since(world: World, name: str) -> datetime:
    return Membership.objects.get(team=world.team, user=getattr(world, name)).role_since


def set_role(world: World, name: str, role: Role) -> None:
    membership = Membership.objects.get(team=world.team, user=getattr(world, name))
    services.set_role(user=world.alice, membership=membership, role=role)


def test_whoever_is_made_an_operator_decides_from_then_on(world: World) -> None:
    before = since(world, "victor")
    set_role(world, "victor", Role.OPERATOR)
    assert since(world, "victor") > before


def test_between_operator_and_administrator_the_time_goes_on(world: World) -> None:
    before = since(world, "bob")
    set_role(world, "bob", Role.ADMIN)
    set_role(world, "bob", Role.OPERATOR)
    assert since(world, "bob") == before
