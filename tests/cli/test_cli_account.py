"""Who really called the command line is in every row that it leaves, whatever `--user` says."""

from __future__ import annotations

import getpass

import pytest
from django.test import override_settings
from django.urls import reverse

from lbftp.changes.models import Approval, ChangeRequest, Run, Transition
from lbftp.cli import account
from tests.cli.test_cli import cli
from tests.web.conftest import As
from tests.web.conftest import browse as browse  # noqa: PLC0414 - pytest finds a fixture by its name here
from tests.worlds import World, applied, planned, proposed

pytestmark = pytest.mark.django_db
ME = f"by the command line, system account {getpass.getuser()}"


def test_each_row_says_which_account_of_the_machine_called(world: World) -> None:
    assert cli("propose", "web", "--user", "alice", "--no-wait").status == 0
    change = ChangeRequest.objects.get()
    planned(change.runs.get())
    assert cli("approve", str(change.pk), "--user", "bob").status == 0
    assert cli("apply", str(change.pk), "--user", "alice", "--no-wait").status == 0
    run = Run.objects.get(kind="apply")
    assert [change.origin, Approval.objects.get().origin, run.origin] == [ME] * 3
    moved = Transition.objects.filter(subject="change", new__in=["approved", "applying"])
    assert {(row.actor, row.origin) for row in moved} == {("bob", ME), ("alice", ME)}


def test_the_answer_says_it(world: World) -> None:
    change = proposed(world)
    answer = cli("approve", str(change.pk), "--user", "bob", "--json")
    assert [(one["user"], one["origin"]) for one in answer.json["approvals"]] == [("bob", ME)]
    assert f"approved by bob, {ME}" in cli("replan", str(change.pk), "--user", "bob", "--no-wait").out


def test_pages_say_it(world: World, browse: As) -> None:
    change = proposed(world)
    cli("approve", str(change.pk), "--user", "bob")
    cli("apply", str(change.pk), "--user", "bob", "--no-wait")
    run = Run.objects.get(kind="apply")
    for url in (
        reverse("changes:change", args=[change.pk]),
        reverse("changes:run", args=[run.pk]),
        reverse("changes:audit"),
    ):
        assert f"{ME}, as bob" in browse(world.victor).get(url).content.decode(), url


def test_on_pages_there_is_no_such_word(world: World, browse: As) -> None:
    change = proposed(world)
    url = reverse("changes:approve", args=[change.pk])
    browse(world.bob).post(url, {"plan_digest": change.plan_digest})
    assert Approval.objects.get().origin == ""


def test_what_sudo_says_is_told_as_what_it_says() -> None:
    said = account.words({"SUDO_USER": "dora\x1b[31m"})
    assert said == f"{ME} (sudo says: called by dora[31m)"
    assert account.words({}) == ME


def test_a_site_may_switch_approvals_by_command_line_off(world: World) -> None:
    change = proposed(world)
    with override_settings(CLI_APPROVALS=False):
        answer = cli("approve", str(change.pk), "--user", "bob")
    assert answer.status == 3
    assert "LBFTP_CLI_APPROVALS" in answer.err
    assert not Approval.objects.exists()


def test_a_schedule_that_re_applies_is_proposed(world: World) -> None:
    applied(world)
    answer = cli("policy", "web", "--user", "bob", "--action", "reapply", "--enabled", "--json")
    assert (answer.status, answer.json["policy"], answer.json["change"]["state"]) == (0, None, "proposed")
    again = cli("policy", "web", "--user", "bob", "--action", "reapply", "--enabled")
    assert (again.status, "waiting for approval already" in again.err) == (3, True)
    assert cli("approve", str(answer.json["change"]["change"]), "--user", "carol").status == 0
    assert "Report drift and re-apply, enabled" in cli("policy", "web").out
