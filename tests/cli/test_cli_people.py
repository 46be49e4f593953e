"""People from the command line: the first one, and links."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.auth.models import User

from lbftp.accounts.models import Membership, Role
from lbftp.accounts.services.first import first_administrator
from lbftp.accounts.services.invitations import accept
from lbftp.changes.models import Transition
from tests.cli.test_cli import cli
from tests.worlds import World

pytestmark = pytest.mark.django_db


def test_the_first_code(redis_socket: object) -> None:
    code = cli("first-admin", "--json").json["code"]
    assert code not in cli("first-admin").out
    code = cli("first-admin", "--json").json["code"]
    first_administrator(code=code, username="ann", password="correct horse battery", team="ops")
    late = cli("first-admin")
    assert (late.status, late.out) == (3, "")
    assert "already has people" in late.err


def test_the_first_person_made_here(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("first-admin", "--create", "ann").status == 2
    typed = iter(["correct horse battery", "another horse", *["correct horse battery"] * 2])
    monkeypatch.setattr("getpass.getpass", lambda _words: next(typed))
    assert "differ" in cli("first-admin", "--create", "ann", "--team", "ops").err
    assert not User.objects.exists()
    assert cli("first-admin", "--create", "ann", "--team", "ops").status == 0
    assert Membership.objects.get(user__username="ann").role == Role.ADMIN


def test_inviting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("invite", "dora").status == 2
    assert cli("invite", "dora", "--user", "bob").status == 3
    monkeypatch.setattr(settings, "SITE_URL", "https://ftp-admin.example.org")
    link = cli("invite", "dora", "--user", "alice", "--role", "viewer", "--json").json["link"]
    assert link.startswith("https://ftp-admin.example.org/invitation/")
    person = accept(token=link.split("/")[-2], password="correct horse battery", address="192.0.2.1")
    assert Membership.objects.get(user=person).role == Role.VIEWER
    assert cli("invite", "d0ra", "--user", "alice").status == 2


def test_the_last_administrator_forgot_the_password(world: World) -> None:
    said = cli("invite", "alice", "--again")
    assert said.status == 0, said.err
    assert "LBFTP_SITE_URL" in said.out
    token = said.out.split("/invitation/")[1].split("/")[0]
    accept(token=token, password="correct horse battery", address="192.0.2.1")
    row = Transition.objects.filter(name="alice").latest("pk")
    assert row.what == "Set a password with the link that the command line made."
    assert cli("invite", "nobody-here", "--again").status == 2
