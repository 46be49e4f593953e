"""Proposing to set keys of real servers' own files, what pages show of it, and what the end of the run means."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from lbftp.changes import run_page, services
from lbftp.changes.errors import Invalid, Refused
from lbftp.changes.models import ChangeRequest, Run, RunEvent
from lbftp.changes.services import checkpoints, outcomes, runs
from lbftp.changes.services.servers import reachable
from lbftp.clusters.models import Cluster
from lbftp.core import ftp_keys
from lbftp.core.ours import SERVERS
from lbftp.core.plan import to_json
from lbftp.inventory.models import RealServer, Router, ServerHost
from lbftp.proofs.models import Rest
from tests.cli.test_cli import cli, threaded, working
from tests.core.cases import GUIDE
from tests.core.ftp_hosts import PROFTPD, VSFTPD, machine
from tests.worlds import World, applied, claimed, host_key

pytestmark = pytest.mark.django_db


def give(world: World, server: RealServer, *, confirmed: bool = True) -> ServerHost:
    return ServerHost.objects.create(
        team=world.team,
        server=server,
        name=server.name,
        address="127.0.0.1",
        credential=world.key,
        host_key=host_key() if confirmed else "",
    )


def made() -> dict[str, object]:
    """A plan for a vsftpd on ftp1 and a ProFTPD with a password on ftp2."""
    one = machine("vsftpd", {VSFTPD: "listen=YES\npasv_min_port=30000\npasv_max_port=30999\n"})
    text = 'SQLConnectInfo db@host user hunter2\nServerName "x"\nPassivePorts 30000 30999\nRootRevoke off\nTimeoutIdle 60\n'
    other = machine("proftpd", {PROFTPD: text}, name="ftp2")
    return to_json(ftp_keys.servers_plan(GUIDE, {"ftp1": one, "ftp2": other}))


def planned(run: Run) -> None:
    job, plan = claimed(run), made()
    outcomes.store_plan(run_id=run.pk, fence=job.fence, plan=plan, digest=str(plan["digest"]), problems=[])
    runs.finish(run_id=run.pk, fence=job.fence, state="succeeded", outcome="Planned.", result={})


def proposed(world: World) -> ChangeRequest:
    applied(world)
    give(world, world.ftp1)
    give(world, world.ftp2)
    change = services.set_keys(user=world.alice, cluster=world.cluster, reason="One range for all.")
    planned(change.runs.get())
    change.refresh_from_db()
    return change


def test_a_change_of_its_own_kind_for_the_servers_with_access(world: World) -> None:
    applied(world)
    give(world, world.ftp1)
    give(world, world.ftp2, confirmed=False)
    assert reachable(world.cluster) == ["ftp1"]
    change = services.set_keys(user=world.bob, cluster=world.cluster)
    assert (change.kind, change.state, change.params) == ("servers", "planning", {"servers": ["ftp1"]})
    assert change.title == "Bring ftp1 into step with web"
    job = claimed(change.runs.get())
    assert (job.kind, job.change, [a.name for a in job.servers]) == ("plan", "servers", ["ftp1"])


def test_what_cannot_be_proposed_is_said(world: World) -> None:
    with pytest.raises(Refused, match="Nothing of web is applied"):
        services.set_keys(user=world.bob, cluster=world.cluster)
    assert reachable(world.cluster) == []
    applied(world)
    with pytest.raises(Refused, match="No real server of web has confirmed SSH access"):
        services.set_keys(user=world.bob, cluster=world.cluster)
    give(world, world.ftp1)
    with pytest.raises(Refused, match="operator"):
        services.set_keys(user=world.victor, cluster=world.cluster)
    with pytest.raises(Invalid) as caught:
        services.set_keys(user=world.bob, cluster=world.cluster, servers=["ftp2"])
    assert caught.value.problems[0]["remedy"] == "Use ftp1."
    assert not ChangeRequest.objects.filter(kind="servers").exists()


def test_it_needs_another_s_approval_of_the_very_plan(world: World) -> None:
    change = proposed(world)
    with pytest.raises(Refused, match="your own change"):
        services.approve(user=world.alice, change=change, plan_digest=change.plan_digest)
    with pytest.raises(Refused, match="Only an approved change"):
        services.apply_change(user=world.alice, change=change)


def test_a_router_in_maintenance_is_no_obstacle(world: World) -> None:
    change = proposed(world)
    router = Router.objects.get(team=world.team, name="r1")
    Rest.objects.create(router=router, change=change, by=world.bob, reason="New disk")
    services.approve(user=world.bob, change=change, plan_digest=change.plan_digest)
    assert services.apply_change(user=world.bob, change=change).kind == Run.Kind.SERVERS


@pytest.mark.parametrize(
    ("state", "becomes"),
    [("succeeded", "applied"), ("failed", "failed"), ("errored", "failed"), ("cancelled", "approved")],
)
def test_the_cluster_is_what_it_was_whatever_came_of_it(world: World, state: str, becomes: str) -> None:
    applied(world)
    Cluster.objects.update(state="drifted")
    ServerHost.objects.all().delete()
    before = Cluster.objects.get().applied_id
    give(world, world.ftp1)
    change = services.set_keys(user=world.alice, cluster=world.cluster)
    planned(change.runs.get())
    change.refresh_from_db()
    services.approve(user=world.bob, change=change, plan_digest=change.plan_digest)
    run = services.apply_change(user=world.bob, change=change)
    job = claimed(run)
    if state == "cancelled":
        runs.cancel(user=world.bob, run=run)
    runs.finish(run_id=run.pk, fence=job.fence, state=state, outcome="It ended.", result={})
    change.refresh_from_db()
    cluster = Cluster.objects.get()
    assert (change.state, cluster.state, cluster.applied_id) == (becomes, "drifted", before)


def test_the_page_of_the_change_shows_each_server_s_lines_and_no_password(world: World, client: Client) -> None:
    change = proposed(world)
    client.force_login(world.bob)
    page = client.get(reverse("changes:change", args=[change.pk])).content.decode()
    for text in (
        "/etc/vsftpd.conf",
        "pasv_min_port=",
        "30000",
        "10000",
        "PassivePorts",
        "Reload vsftpd.service",
        "a line that is not shown",
    ):
        assert text in page, text
    assert "hunter2" not in page
    assert "BACKUP" not in page
    assert "hunter2" not in str(ChangeRequest.objects.get(pk=change.pk).plan)


def test_the_page_of_the_run_has_a_lane_for_each_server_and_the_way_back(world: World, client: Client) -> None:
    change = proposed(world)
    services.approve(user=world.bob, change=change, plan_digest=change.plan_digest)
    run = services.apply_change(user=world.bob, change=change)
    claimed(run)
    Cluster.objects.update(master="r1")
    rows = [
        ("phase", "", {"name": "apply", "title": "Set"}),
        ("step", "ftp1", {"id": "write:/etc/vsftpd.conf", "title": "Change /etc/vsftpd.conf", "state": "done"}),
        ("checkpoint", "ftp1", {"name": f"lbftp-run-{run.pk}-ftp1-ab"}),
    ]
    for seq, (kind, router, data) in enumerate(rows, 900):
        RunEvent.objects.create(run=run, seq=seq, at=timezone.now(), kind=kind, router=router, data=data)
    run.refresh_from_db()
    lane = next(lane for lane in run_page.page(run).lanes if lane.router == "ftp1")
    assert (lane.role, lane.by_hand) == ("", f"sh {SERVERS}/lbftp-run-{run.pk}-ftp1-ab/restore")
    client.force_login(world.victor)
    page = client.get(reverse("changes:run", args=[run.pk])).content.decode()
    assert "One server after the other" in page
    assert lane.by_hand in page
    # What lies on real servers is no way back for the pair of routers.
    assert checkpoints.of_pair(world.team, ["r1", "r2", "ftp1"]) == []


def test_the_cluster_s_page_offers_it_where_there_is_access(world: World, client: Client) -> None:
    applied(world)
    client.force_login(world.bob)
    url = reverse("clusters:cluster", args=[world.cluster.pk])
    page = client.get(url).content.decode()
    assert "Elsewhere copy the lines" in page
    assert 'id="set-keys"' not in page
    give(world, world.ftp1)
    assert 'id="set-keys"' in client.get(url).content.decode()
    act = reverse("changes:set-keys", args=[world.cluster.pk])
    assert "None was chosen" in client.post(act, follow=True).content.decode()
    answer = client.post(act, {"servers": ["ftp1"]})
    change = ChangeRequest.objects.get(kind="servers")
    assert answer["Location"] == reverse("changes:change", args=[change.pk])
    client.force_login(world.victor)
    assert 'id="set-keys"' not in client.get(url).content.decode()


@threaded
def test_from_a_shell(world: World) -> None:
    applied(world)
    assert cli("ftp-servers", "web", "--user", "bob").status == 3
    give(world, world.ftp1)
    assert cli("ftp-servers", "web", "ftp9", "--user", "bob").status == 2
    assert cli("ftp-servers", "web", "--user", "victor").status == 3

    def works(run: Run, _job: object) -> None:
        plan = made()
        if run.kind == Run.Kind.PLAN:
            outcomes.store_plan(run_id=run.pk, fence=1, plan=plan, digest=str(plan["digest"]), problems=[])
        runs.finish(run_id=run.pk, fence=1, state="succeeded", outcome="ftp1 is set.", result={"servers": {"ftp1": []}})

    with working(works):
        answer = cli("ftp-servers", "web", "ftp1", "--user", "bob", "--reason", "Range", "--json")
        assert (answer.status, answer.json["state"]) == (0, "proposed")
        change = str(answer.json["change"])
        assert cli("approve", change, "--user", "carol").status == 0
        done = cli("apply", change, "--user", "bob", "--json")
    assert (done.status, done.json["state"], done.json["run"]["kind"]) == (0, "applied", "servers")
