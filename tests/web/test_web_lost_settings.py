"""Every form that replaces stored values: opened twice, the later save removes nothing unseen."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from lbftp.accounts.models import Membership, Role
from lbftp.changes.errors import Conflict, Refused
from lbftp.changes.models import ChangeRequest
from lbftp.changes.services import approve
from lbftp.compliance.models import Policy
from lbftp.compliance.services import set_policy
from lbftp.inventory import crypto
from lbftp.inventory import services as inventory
from lbftp.inventory.models import Credential, RealServer, Router
from lbftp.proofs.models import Window
from lbftp.proofs.services.windows import set_window
from tests import worlds
from tests.conftest import Race
from tests.web.conftest import As
from tests.web.opened import opened, seen
from tests.worlds import World

Sent = dict[str, str]


@dataclass(frozen=True)
class Case:
    """`page` shows the form, `post` takes it; `first` is saved by one, `second` by another who opened it before.

    `merged` is what one more click stores.
    """

    page: Callable[[World], str]
    post: Callable[[World], str]
    first: Sent
    second: Sent
    stored: Callable[[World], dict[str, Any]]
    merged: dict[str, Any]


def _schedule(world: World) -> dict[str, Any]:
    row = Policy.objects.get(cluster=world.cluster)
    return {"cron": row.cron, "time_zone": row.time_zone}


def _window(world: World) -> dict[str, Any]:
    row = Window.objects.get(cluster=world.cluster)
    return {"cron": row.cron, "minutes": row.minutes, "enabled": row.enabled}


def _sides(world: World) -> dict[str, Any]:
    return inventory.stored_interfaces(Router.objects.get(pk=world.r1.pk))


def _addresses(world: World) -> dict[str, Any]:
    return inventory.stored_addresses(RealServer.objects.get(pk=world.ftp1.pk))


_SCHEDULE = {"cron": "0 * * * *", "time_zone": "UTC", "action": "report", "enabled": "on"}
_HOURS = {"cron": "0 2 * * 0", "minutes": "120", "time_zone": "UTC", "enabled": "on"}
CASES = {
    "schedule": Case(
        page=lambda world: reverse("compliance:cluster", args=[world.cluster.pk]),
        post=lambda world: reverse("compliance:cluster", args=[world.cluster.pk]),
        first={**_SCHEDULE, "time_zone": "Europe/Vienna"},
        second={**_SCHEDULE, "cron": "30 * * * *"},
        stored=_schedule,
        merged={"cron": "30 * * * *", "time_zone": "Europe/Vienna"},
    ),
    "window": Case(
        page=lambda world: reverse("proofs:cluster", args=[world.cluster.pk]),
        post=lambda world: reverse("proofs:window", args=[world.cluster.pk]),
        first={k: v for k, v in _HOURS.items() if k != "enabled"},
        second={**_HOURS, "minutes": "60"},
        stored=_window,
        merged={"cron": "0 2 * * 0", "minutes": 60, "enabled": False},
    ),
    "interfaces": Case(
        page=lambda world: reverse("inventory:router", args=[world.r1.pk]),
        post=lambda world: reverse("inventory:router-interfaces", args=[world.r1.pk]),
        first={"public_interface": "eth0", "internal_interface": "eth2"},
        second={"public_interface": "eth1", "internal_interface": "eth1"},
        stored=_sides,
        merged={"public_interface": "eth0", "internal_interface": "eth1"},
    ),
    "addresses": Case(
        page=lambda world: reverse("inventory:real-server", args=[world.ftp1.pk]),
        post=lambda world: reverse("inventory:real-server", args=[world.ftp1.pk]),
        first={"address": "10.0.50.77", "address6": "fd00:50::11"},
        second={"address": "10.0.50.11", "address6": "fd00:50::77"},
        stored=_addresses,
        merged={"address": "10.0.50.77", "address6": "fd00:50::77"},
    ),
}


@pytest.fixture
def dora(world: World) -> User:
    """A second administrator."""
    set_policy(
        user=world.alice, cluster=world.cluster, cron="0 * * * *", time_zone="UTC", action="report", enabled=True
    )
    set_window(user=world.alice, cluster=world.cluster, cron="0 2 * * 0", minutes=120, time_zone="UTC", enabled=True)
    return worlds.person("dora", world.team, Role.ADMIN)


def form_of(page: str) -> Sent:
    """What a browser would send of the form in `page` that met another save."""
    form = next(part for part in page.split("<form")[1:] if 'id="conflict"' in part).partition("</form>")[0]
    found: Sent = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = (re.search(rf' {word}="([^"]*)"', tag) for word in ("name", "value"))
        if name and (" checked" in tag or not re.search('type="(radio|checkbox)"', tag)):
            found[name.group(1)] = value.group(1) if value else "on"
    for name_, inner in re.findall(r'<select name="([^"]+)".*?>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', inner)
        found[name_] = chosen.group(1) if chosen else ""
    return found


@pytest.mark.parametrize("name", CASES)
def test_the_later_save_sees_both_and_merges(world: World, dora: User, browse: As, name: str) -> None:
    case, mine, theirs = CASES[name], browse(world.alice), browse(dora)
    sent = opened(mine, case.page(world))
    earlier = theirs.post(case.post(world), {**opened(theirs, case.page(world)), **case.first})
    assert earlier.status_code == 302, earlier.content.decode()
    before = case.stored(world)

    answer = mine.post(case.post(world), {**sent, **case.second})

    page = answer.content.decode()
    assert answer.status_code == 409
    assert "dora saved" in page
    assert case.stored(world) == before
    assert mine.post(case.post(world), form_of(page)).status_code == 302
    assert case.stored(world) == case.merged


@pytest.mark.parametrize("name", CASES)
def test_what_nobody_changed_is_saved_at_once(world: World, dora: User, browse: As, name: str) -> None:
    case, mine = CASES[name], browse(world.alice)
    assert mine.post(case.post(world), {**opened(mine, case.page(world)), **case.second}).status_code == 302
    assert mine.post(case.post(world), {**opened(mine, case.page(world)), **case.first}).status_code == 302


def test_a_secret_replaced_meanwhile_is_not_replaced_unseen(world: World, dora: User, browse: As) -> None:
    address, mine, theirs = reverse("inventory:credential", args=[world.account.pk]), browse(world.alice), browse(dora)
    sent = opened(mine, address)
    assert theirs.post(address, {**opened(theirs, address), "secret": "dora's password"}).status_code == 302

    answer = mine.post(address, {**sent, "secret": "alice's password"})

    page = answer.content.decode()
    assert (answer.status_code, "dora replaced this secret" in page) == (409, True)
    assert "password</" not in page.partition('name="secret"')[2].partition("</textarea>")[0]
    for word in ("dora&#x27;s password", "alice&#x27;s password"):
        assert word not in page
    assert crypto.opened(Credential.objects.get(pk=world.account.pk).secret) == "dora's password"
    assert mine.post(address, {"seen": seen(page), "secret": "alice's password"}).status_code == 302
    assert crypto.opened(Credential.objects.get(pk=world.account.pk).secret) == "alice's password"


def test_a_role_given_meanwhile_is_not_taken_back_unseen(world: World, dora: User, browse: As) -> None:
    member = Membership.objects.get(user=world.bob, team=world.team)
    address, mine, theirs = reverse("accounts:set-role", args=[member.pk]), browse(world.alice), browse(dora)
    assert theirs.post(address, {"seen": "operator", "role": "viewer"}).status_code == 302

    page = mine.post(address, {"seen": "operator", "role": "admin"}, follow=True).content.decode()

    assert "dora changed bob since you read it (role: viewer now, admin by you)" in page
    member.refresh_from_db()
    assert member.role == "viewer"
    form = page.partition(f'action="{address}"')[2].partition("</form>")[0]
    assert '<input type="hidden" name="seen" value="viewer">' in form
    gone = mine.post(address, {"seen": "operator", "role": ""}, follow=True).content.decode()
    assert "taken out of the team by you" in gone
    mine.post(address, {"seen": "viewer", "role": "admin"})
    member.refresh_from_db()
    assert member.role == "admin"


def test_an_approved_schedule_does_not_remove_one_that_was_set_since(world: World) -> None:
    worlds.applied(world)
    hourly: dict[str, Any] = {"cron": "0 * * * *", "time_zone": "UTC", "enabled": True}
    change = set_policy(user=world.alice, cluster=world.cluster, action="reapply", **hourly)
    assert isinstance(change, ChangeRequest)
    daily = {**hourly, "cron": "0 3 * * *"}
    set_policy(user=world.bob, cluster=world.cluster, action="report", **daily)

    with pytest.raises(Refused, match="bob set another schedule since this was proposed"):
        approve(user=world.carol, change=change, plan_digest=change.plan_digest)

    assert _schedule(world)["cron"] == "0 3 * * *"
    change.refresh_from_db()
    assert change.state == ChangeRequest.State.PROPOSED
    anew = set_policy(user=world.alice, cluster=world.cluster, action="reapply", **hourly | {"cron": "5 * * * *"})
    assert isinstance(anew, ChangeRequest)
    approve(user=world.carol, change=anew, plan_digest=anew.plan_digest)
    assert _schedule(world)["cron"] == "5 * * * *"


def test_first_settings_of_two_meet_as_well(world: World) -> None:
    values: dict[str, Any] = {"cron": "0 * * * *", "time_zone": "UTC", "enabled": True}
    set_policy(user=world.alice, cluster=world.cluster, action="report", seen={}, **values)
    with pytest.raises(Conflict) as caught:
        set_policy(user=world.bob, cluster=world.cluster, action="report", seen={}, **values | {"cron": "5 * * * *"})
    assert {key: edit.who for key, edit in caught.value.edits.items()} == {"cron": "alice"}
    set_window(user=world.alice, cluster=world.cluster, minutes=60, seen={}, **values)
    with pytest.raises(Conflict):
        set_window(user=world.alice, cluster=world.cluster, minutes=90, seen={}, **values)


@pytest.mark.django_db(transaction=True)
def test_of_two_at_the_same_instant_one_wins(race: Race, redis_socket: object) -> None:
    world = worlds.build()
    dora = worlds.person("dora", world.team, Role.ADMIN)
    assert Membership.objects.filter(user=dora).exists()

    def verbs(user: User, number: int) -> dict[str, Callable[[], object]]:
        hour: dict[str, Any] = {"cron": f"{number} * * * *", "time_zone": "UTC", "enabled": True, "seen": {}}
        addresses: dict[str, Any] = {
            "address": f"10.0.50.{number}",
            "address6": "",
            "seen": inventory.stored_addresses(world.ftp1),
        }
        sides = {"internal_interface": f"eth{number % 3}", "public_interface": "eth1"}
        secret: dict[str, Any] = {"secret": f"password {number}", "seen": inventory.stored_edition(world.account)}
        return {
            "schedule": lambda: set_policy(user=user, cluster=world.cluster, action="report", **hour),
            "window": lambda: set_window(user=user, cluster=world.cluster, minutes=60, **hour),
            "addresses": lambda: inventory.set_addresses(
                user=user, server=RealServer.objects.get(pk=world.ftp1.pk), **addresses
            ),
            "interfaces": lambda: inventory.set_interfaces(
                user=user,
                router=Router.objects.get(pk=world.r1.pk),
                seen=inventory.stored_interfaces(world.r1),
                **sides,
            ),
            "secret": lambda: inventory.replace_secret(
                user=user, credential=Credential.objects.get(pk=world.account.pk), **secret
            ),
        }

    mine, theirs = verbs(world.alice, 30), verbs(dora, 31)
    for name in mine:
        results = race(mine[name], theirs[name])
        assert sum(isinstance(one, Conflict) for one in results) == 1, (name, results)
        assert sum(isinstance(one, Exception) for one in results) == 1, (name, results)
