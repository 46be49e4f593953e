"""Draining, disabling, bringing back and weighing real servers from a shell."""

from __future__ import annotations

import pytest

from lbftp.changes.models import ChangeRequest, Run
from lbftp.core.job import Job
from lbftp.daytwo.models import Drain
from tests.cli.test_cli import cli, end, plans, threaded, working
from tests.worlds import World, applied

pytestmark = pytest.mark.django_db


def does(run: Run, job: Job) -> None:
    plans(run, job) if run.kind == Run.Kind.PLAN else end(job, master="r1")


@threaded
def test_a_server_is_drained_and_brought_back(world: World) -> None:
    applied(world)
    bob = ("--user", "bob")
    with working(does):
        # Somebody else has to approve until an administrator lets operators do it alone.
        assert cli("drain", "web", "ftp1", "--start", *bob).status == 3
        waiting = ChangeRequest.objects.latest("pk")
        assert cli("rotation", "web", "--operators-alone", *bob).status == 3
        assert cli("rotation", "web", "--operators-alone", "--user", "alice").status == 0
        # What waited before that does so still.
        assert cli("apply", str(waiting.pk), *bob).status == 3
        assert cli("reject", str(waiting.pk), "--reason", "Asked for anew", *bob).status == 0
        assert cli("drain", "web", "ftp1", "--start", *bob).status == 0
        Drain.objects.update(sessions_left=2, transfers_left=0, clients_left=1)
        answer = cli("rotation", "web", "--json")
        (ftp1, _ftp2) = answer.json["servers"]
        assert (ftp1["state"], ftp1["weight"], ftp1["drain"]["sessions_left"]) == ("draining", 0, 2)
        assert "2 sessions left. 1 client may come back" in cli("rotation", "web").out
        assert cli("disable", "web", "ftp1", "--start", *bob).status == 0
        assert cli("enable", "web", "ftp1", "--weight", "3", "--start", *bob).status == 0
        assert cli("weight", "web", "ftp1", "5", "--start", *bob).status == 0
        change = ChangeRequest.objects.latest("pk")
        answer = cli("undo", str(change.pk), "--start", "--json", *bob)
        assert (answer.status, answer.json["title"]) == (0, "Give ftp1 weight 3 instead of 5")
        assert cli("sorry", "web", "--address", "10.0.50.99", "--start", *bob).status == 0
        assert cli("rotation", "web", "--json").json["sorry"] == "10.0.50.99"


def test_wrong_words_are_refused(world: World) -> None:
    applied(world)
    assert cli("drain", "web", "ftp9", "--user", "bob").status in (2, 3)
    assert cli("weight", "web", "ftp1", "-1", "--user", "bob").status in (2, 3)
    assert cli("drain", "web", "ftp1", "--user", "victor").status == 3
    assert cli("drain", "web", "ftp1", "--start", "--no-wait", "--user", "bob").status == 2
