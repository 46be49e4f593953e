from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from lbftp.accounts.models import Membership, Role
from lbftp.accounts.services.first import new_first_code
from tests.web.conftest import As
from tests.worlds import World

NEW = {
    "code": "given",
    "username": "ann",
    "password": "quite a long one",
    "again": "quite a long one",
    "team": "Night <b>shift</b>",
}


@pytest.mark.django_db
def test_the_first_visit_makes_the_administrator(client: Client) -> None:
    first = client.get("/", follow=True)
    assert first.redirect_chain[-1][0] == reverse("accounts:welcome")
    stranger = client.post(reverse("accounts:welcome"), NEW)
    assert stranger.status_code == 422
    assert b"No code is valid" in stranger.content
    home = client.post(reverse("accounts:welcome"), {**NEW, "code": new_first_code()}, follow=True)
    assert home.redirect_chain == [("/", 302)]
    text = home.content.decode()
    assert "Enrol two routers" in text
    assert "Add real servers" in text
    assert Membership.objects.get().role == Role.ADMIN
    people = client.get(reverse("accounts:people")).content.decode()
    assert "Night &lt;b&gt;shift&lt;/b&gt;" in people


@pytest.mark.django_db
def test_the_first_visit_keeps_what_was_typed(client: Client) -> None:
    page = client.post(reverse("accounts:welcome"), {**NEW, "again": "another long one"})
    assert page.status_code == 422
    assert b"The two passwords differ" in page.content
    assert b'value="ann"' in page.content
    short = client.post(
        reverse("accounts:welcome"), {**NEW, "code": new_first_code(), "password": "short", "again": "short"}
    )
    assert b"too short" in short.content
    assert not User.objects.exists()


def test_once_somebody_is_there_nobody_makes_themselves_administrator(world: World, client: Client) -> None:
    assert client.get(reverse("accounts:welcome")).status_code == 302
    client.post(reverse("accounts:welcome"), NEW)
    assert not User.objects.filter(username="ann").exists()


def test_signing_in_leads_where_one_wanted_to_go(world: World, client: Client) -> None:
    away = client.get(reverse("changes:runs"))
    assert away["Location"] == f"{reverse('accounts:login')}?next={reverse('changes:runs')}"
    typed = {"username": "bob", "password": "a long enough one", "next": reverse("changes:runs")}
    assert client.post(reverse("accounts:login"), typed)["Location"] == reverse("changes:runs")
    assert client.post(reverse("accounts:logout"))["Location"] == reverse("accounts:login")


def test_a_wrong_password_keeps_the_name(world: World, client: Client) -> None:
    page = client.post(reverse("accounts:login"), {"username": "bob", "password": "wrong"})
    assert b'value="bob"' in page.content
    assert b"That did not work" in page.content


def test_signing_in_does_not_lead_to_other_sites(world: World, client: Client) -> None:
    typed = {"username": "bob", "password": "a long enough one", "next": "https://elsewhere.example/"}
    assert client.post(reverse("accounts:login"), typed)["Location"] == "/"


def test_administrators_set_roles_and_lock(world: World, browse: As) -> None:
    admin = browse(world.alice)
    member = world.victor.memberships.get()
    admin.post(reverse("accounts:set-role", args=[member.pk]), {"role": "operator"})
    member.refresh_from_db()
    assert member.role == Role.OPERATOR
    admin.post(reverse("accounts:lock", args=[member.pk]))
    assert not User.objects.get(username="victor").is_active
    assert b"Locked" in admin.get(reverse("accounts:people")).content
    admin.post(reverse("accounts:unlock", args=[member.pk]))
    assert User.objects.get(username="victor").is_active
    admin.post(reverse("accounts:set-role", args=[member.pk]), {"role": ""})
    assert not Membership.objects.filter(pk=member.pk).exists()


def test_a_name_that_is_taken_is_said_beside_the_field(world: World, browse: As) -> None:
    person = {"username": "bob", "role": "viewer"}
    page = browse(world.alice).post(reverse("accounts:add-person"), person)
    assert page.status_code == 422
    assert b'id="id_username_error"' in page.content
    assert b'value="bob"' in page.content


def test_the_last_administrator_stays(world: World, browse: As) -> None:
    mine = world.alice.memberships.get()
    page = browse(world.alice).post(reverse("accounts:set-role", args=[mine.pk]), {"role": "viewer"}, follow=True)
    assert b"keeps at least one administrator" in page.content
    mine.refresh_from_db()
    assert mine.role == Role.ADMIN
