from __future__ import annotations

import pytest
import yaml

from lbftp.changes.models import Run
from lbftp.clusters.models import Cluster
from lbftp.core.importing import propose
from lbftp.core.job import Job
from lbftp.inventory.models import RealServer
from tests.cli.test_cli import cli, end, working
from tests.core.test_importing import pair_of
from tests.worlds import World

threaded = pytest.mark.django_db(transaction=True)


def finds(case: str) -> object:
    def work(_run: Run, job: Job) -> None:
        assert [a.name for a in job.routers] == ["r1", "r2"]
        end(job, proposals=[p.to_json() for p in propose(pair_of(case))])

    return work


@threaded
def test_import_prints_what_load_takes(world: World) -> None:
    with working(finds("by-hand")):  # type: ignore[arg-type]
        answer = cli("import", "r1", "r2", "--user", "bob")
    assert answer.status == 0
    (found,) = [d for d in yaml.safe_load_all(answer.out[answer.out.index("# ftp: ") :]) if d]
    assert (found["name"], found["vip"], found["passive"]) == ("ftp", "192.0.2.100", {"low": 12000, "high": 13999})
    assert [s["name"] for s in found["real_servers"]] == ["ftp1", "ftp2"], "as the inventory calls these addresses"
    assert "/etc/keepalived/keepalived.conf:22: authentication of VI out" in answer.out
    assert "r1, r2: /etc/keepalived/services.d/ftp.conf:2: virtual_server fwmark 21" in answer.out
    assert not Cluster.objects.filter(name="ftp").exists()


@threaded
def test_import_can_save_the_drafts(world: World) -> None:
    RealServer.objects.filter(name="ftp2").delete()
    with working(finds("guide")):  # type: ignore[arg-type]
        answer = cli("import", "r1", "r2", "--user", "alice", "--save", "--json")
    assert (answer.status, answer.json["saved"]) == (0, ["ftp"])
    saved = Cluster.objects.get(name="ftp")
    assert saved.draft["vrrp"]["vrid"] == 50
    assert saved.draft["routers"] == [{"name": "r1", "priority": 150}, {"name": "r2", "priority": 100}]
    assert RealServer.objects.get(name="ftp2").address == "10.0.50.12"
    with working(finds("guide")):  # type: ignore[arg-type]
        again = cli("import", "r1", "r2", "--user", "alice", "--save")
    assert again.status == 2
    assert "There is a cluster ftp in this team already." in again.err


@threaded
def test_an_operator_cannot_add_real_servers_by_an_import(world: World) -> None:
    RealServer.objects.filter(name="ftp2").delete()
    with working(finds("guide")):  # type: ignore[arg-type]
        answer = cli("import", "r1", "r2", "--user", "bob", "--save")
    assert answer.status == 3
    assert "ftp2 (10.0.50.12)" in answer.err
    assert not Cluster.objects.filter(name="ftp").exists()


@threaded
def test_import_where_nothing_runs(world: World) -> None:
    with working(lambda _run, job: end(job, proposals=[])):
        answer = cli("import", "r1", "r2", "--user", "bob")
    assert answer.status == 0
    assert "It succeeded." in answer.out


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("r9",), 2, "The team has no router r9"),
        (("r1", "r1"), 3, "one router, or at the two of a pair"),
        (("r1", "r2", "--user", "victor"), 3, ""),
        (("r1", "--user", "mallory"), 2, "The team has no router r1"),
    ],
)
def test_import_refuses(world: World, words: tuple[str, ...], status: int, text: str) -> None:
    who = () if "--user" in words else ("--user", "bob")
    answer = cli("import", *words, *who, "--no-wait")
    assert answer.status == status
    assert text in answer.err
    assert not Run.objects.filter(kind=Run.Kind.IMPORT).exists()


@pytest.mark.django_db
def test_a_router_whose_key_is_not_confirmed_is_not_looked_at(world: World) -> None:
    world.r1.host_key = ""
    world.r1.save(update_fields=["host_key"])
    answer = cli("import", "r1", "--user", "bob", "--no-wait")
    assert answer.status == 3
    assert "host key of r1 is not confirmed" in answer.err
