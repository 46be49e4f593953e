"""Proofs, maintenance and windows from a shell."""

from __future__ import annotations

import pytest

from lbftp.changes.models import ChangeRequest, Run
from lbftp.core.job import Job
from lbftp.proofs.models import Rest, Window
from tests.cli.test_cli import cli, end, plans, threaded, working
from tests.worlds import World, applied

pytestmark = pytest.mark.django_db


def does(run: Run, job: Job) -> None:
    plans(run, job) if run.kind == Run.Kind.PLAN else end(job, master="r1")


@threaded
def test_a_proof_is_proposed_and_waits_for_approval(world: World) -> None:
    applied(world)
    with working(does):
        answer = cli("prove", "web", "reboot", "--routers", "r2", "--patience", "300", "--user", "bob", "--json")
        assert (answer.status, answer.json["state"]) == (0, "proposed")
        change = ChangeRequest.objects.get(kind="reboot")
        assert change.params == {"routers": ["r2"], "patience": 300}
        # --start is refused where somebody else has to approve.
        assert cli("prove", "web", "restart", "--start", "--user", "bob").status == 3
        assert cli("approve", str(change.pk), "--user", "carol").status == 0
        assert cli("apply", str(change.pk), "--user", "bob").status == 0


@threaded
def test_in_the_window_it_starts_at_once(world: World) -> None:
    applied(world)
    assert cli("window", "web", "--cron", "* * * * *", "--minutes", "60", "--user", "alice").status == 0
    with working(does):
        answer = cli("prove", "web", "failover", "--start", "--user", "bob", "--json")
    assert (answer.status, answer.json["state"], answer.json["run"]["kind"]) == (0, "applied", "failover")


@threaded
def test_a_router_goes_out_and_comes_back(world: World) -> None:
    applied(world)
    cli("window", "web", "--cron", "* * * * *", "--minutes", "60", "--user", "alice")
    with working(does):
        assert cli("maintenance", "web", "r1", "out", "--start", "--user", "bob", "--reason", "Disk").status == 0
        assert Rest.objects.get().reason == "Disk"
        assert cli("maintenance", "web", "r2", "out", "--start", "--user", "bob").status == 3
        assert cli("window", "web", "--no-enabled", "--user", "alice").status == 0
        assert cli("maintenance", "web", "r1", "back", "--start", "--user", "bob").status == 0
    assert not Rest.objects.exists()


def test_windows_are_shown_and_keep_what_is_not_named(world: World) -> None:
    assert "no maintenance window" in cli("window", "web").out
    assert cli("window", "web", "--minutes", "60", "--user", "alice").status == 2
    assert cli("window", "web", "--cron", "0 2 * * 0", "--minutes", "60", "--user", "alice").status == 0
    assert cli("window", "web", "--time-zone", "Europe/Berlin", "--user", "alice").status == 0
    row = Window.objects.get()
    assert (row.cron, row.minutes, row.time_zone, row.enabled) == ("0 2 * * 0", 60, "Europe/Berlin", True)
    assert cli("window", "web", "--json").json["window"]["cron"] == "0 2 * * 0"


def test_who_may_not_and_what_makes_no_sense(world: World) -> None:
    applied(world)
    assert cli("window", "web", "--cron", "0 2 * * 0", "--minutes", "60", "--user", "bob").status == 3
    assert cli("window", "web", "--cron", "x", "--minutes", "60", "--user", "alice").status == 2
    assert cli("prove", "web", "restart", "--user", "victor").status == 3
    assert cli("prove", "web", "restart", "--user", "mallory").status == 2
    assert cli("prove", "web", "reboot", "--routers", "r9", "--user", "bob").status == 2
    assert cli("prove", "web", "restart", "--start", "--no-wait", "--user", "bob").status == 2
    assert cli("maintenance", "web", "r1", "back", "--user", "bob").status == 3
