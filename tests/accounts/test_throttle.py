"""Guessing: how many passwords are looked at, and who still gets in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.utils import timezone

from lbftp.accounts.models import PasswordTry, SignIn
from lbftp.accounts.services import throttle
from lbftp.accounts.services.networks import network_of
from lbftp.accounts.services.signing_in import WrongPassword, sign_in
from lbftp.accounts.services.throttle import TooManyTries
from lbftp.changes.models import Transition
from tests.conftest import Race
from tests.worlds import World

RIGHT = "a long enough one"
HERE, ELSEWHERE = "192.0.2.1", "198.51.100.9"


def guess(name: str = "bob", address: str = HERE, typed: str = "wrong") -> str:
    """What came of it: in, wrong or refused."""
    try:
        sign_in(username=name, password=typed, address=address)
    except TooManyTries:
        return "refused"
    except WrongPassword:
        return "wrong"
    return "in"


@pytest.mark.django_db
def test_after_five_wrong_ones_the_right_one_is_not_looked_at_either(world: World) -> None:
    assert [guess() for _ in range(40)] == ["wrong"] * 5 + ["refused"] * 35
    assert guess(typed=RIGHT) == "refused"
    assert guess(address=ELSEWHERE, typed=RIGHT) == "in"
    PasswordTry.objects.update(at=timezone.now() - throttle.WINDOW - timedelta(seconds=1))
    assert guess(typed=RIGHT) == "in"


@pytest.mark.django_db
def test_the_words_are_the_same_whether_or_not_there_is_such_a_person(world: World) -> None:
    said = []
    for name in ("bob", "nobody-here"):
        for _ in range(5):
            assert guess(name) == "wrong"
        with pytest.raises(TooManyTries) as caught:
            sign_in(username=name, password=RIGHT, address=HERE)
        said.append(caught.value.message)
    assert said[0] == said[1]
    assert "in 15 min" in said[0]
    assert "From another address" in said[0]


@pytest.mark.django_db
def test_right_ones_do_not_count_and_do_not_make_room(world: World) -> None:
    for _ in range(20):
        assert guess(typed=RIGHT) == "in"
    assert not PasswordTry.objects.exists()
    for _ in range(4):
        assert guess() == "wrong"
    assert guess(typed=RIGHT) == "in"
    assert [guess(), guess()] == ["wrong", "refused"]


@pytest.mark.django_db
def test_guessing_from_everywhere_ends_and_the_owner_gets_in_from_where_they_were(world: World) -> None:
    SignIn.objects.create(user=world.bob, session_key="before", address=ELSEWHERE, network=ELSEWHERE)
    found = [guess(address=f"203.0.113.{number}") for number in range(60)]
    assert found == ["wrong"] * 20 + ["refused"] * 40
    assert guess(address=ELSEWHERE, typed=RIGHT) == "in"
    assert guess(name="carol", address="203.0.113.1", typed=RIGHT) == "in"


@pytest.mark.django_db
def test_one_address_does_not_try_all_names(world: World) -> None:
    found = [guess(name=f"name{number}") for number in range(60)]
    assert found == ["wrong"] * 50 + ["refused"] * 10


@pytest.mark.django_db
def test_an_ipv6_network_is_one_place(world: World) -> None:
    assert [guess(address=f"2001:db8:0:7::{number:x}") for number in range(1, 8)] == ["wrong"] * 5 + ["refused"] * 2
    assert network_of("2001:db8:0:7::1") == "2001:db8:0:7::/64"
    assert network_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert network_of("fe80::1%eth0") == "fe80::/64"
    assert network_of("no address") == "no address"


@pytest.mark.django_db
def test_a_locked_person_is_told_what_everybody_is_told(world: World) -> None:
    world.bob.is_active = False
    world.bob.save()
    assert guess(typed=RIGHT) == "wrong"


@pytest.mark.django_db
def test_the_audit_has_what_concerns_people_of_the_team(world: World) -> None:
    for _ in range(7):
        guess()
        guess(name="nobody-here")
    guess(address=ELSEWHERE, typed=RIGHT)
    rows = [
        (str(row.user), row.what, row.after["address"])
        for row in Transition.objects.filter(subject="person").order_by("pk")
    ]
    failed = ("None", "Sign-in failed: wrong password or locked.", HERE)
    assert rows == [
        *[failed] * 5,
        ("None", "Too many wrong passwords: no more are looked at from there for 15 min.", HERE),
        ("bob", "Signed in.", ELSEWHERE),
    ]


@pytest.mark.django_db(transaction=True)
def test_forty_at_once_get_no_more_looked_at(world: World, race: Race, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    real = ModelBackend.authenticate

    def counted(self: ModelBackend, request: None, username: str, password: str) -> object:
        looked.append(password)
        return real(self, request, username=username, password=password)

    monkeypatch.setattr(ModelBackend, "authenticate", counted)
    found = race(*[guess] * 40)
    assert sorted(map(str, found)) == ["refused"] * 35 + ["wrong"] * 5
    assert len(looked) == settings.SIGN_IN_TRIES
