"""What `status` tells beside states: routers that rest, and what was found on FTP servers' machines."""

from __future__ import annotations

import pytest

from lbftp.changes.services import verify
from lbftp.proofs.models import Rest
from tests.cli.test_cli import cli
from tests.web.test_web_machines import RANGE, SEEN
from tests.worlds import World, applied, finished

pytestmark = pytest.mark.django_db


def test_nothing_is_told_where_there_is_nothing(world: World) -> None:
    (one,) = cli("status", "--json").json["clusters"]
    assert (one["maintenance"], one["servers"]) == ([], [])
    assert cli("status").out.count("\n") == 1


def test_routers_that_rest_and_servers_with_findings(world: World) -> None:
    applied(world)
    Rest.objects.create(router=world.r2, by=world.alice, reason="New disk")
    run = finished(verify(user=world.bob, cluster=world.cluster), master="r1", findings=[RANGE], servers=SEEN)
    (one,) = cli("status", "web", "--json").json["clusters"]
    assert [(r["router"], r["reason"]) for r in one["maintenance"]] == [("r2", "New disk")]
    assert [(s["server"], s["state"], s["run"]) for s in one["servers"]] == [
        ("ftp1", "as wanted", run.pk),
        ("ftp2", "1 error", run.pk),
    ]
    assert one["servers"][1]["findings"][0]["code"] == "ftpd-passive-range"
    text = cli("status").out
    assert "  r2 in maintenance since " in text
    assert f"  ftp2: 1 error on its machine (run {run.pk})" in text
    assert "ftp1" not in text
