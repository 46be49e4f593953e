"""What was found on FTP servers' own machines, at the row of each real server."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from django.urls import reverse

from lbftp.changes.machines import machines
from lbftp.changes.models import Run
from lbftp.changes.services import comply, verify
from tests.web.conftest import As
from tests.worlds import World, applied, finished

NAMES = ("ftp1", "ftp2")


def found(code: str, what: str, severity: str = "error", **more: Any) -> dict[str, Any]:
    row = {
        "code": code,
        "severity": severity,
        "router": "",
        "what": what,
        "expected": "10000-20000",
        "found": "any port",
    }
    return {**row, "remedy": "Set pasv_min_port and pasv_max_port.", "repairable": False, **more}


RANGE = found("ftpd-passive-range", "ftp2: vsftpd: passive ports are any port")
DISK = found("server-disk", "ftp2: /srv is 99 % full: uploads fail", "warning")
OUTSIDE = found("passive-outside", "ftp1 chooses passive ports outside the cluster's range", "warning", router="ftp1")
ROUTERS = found("sysctl", "net.ipv4.ip_forward is off", router="r1")
SEEN = [{"name": "ftp1", "daemons": ["proftpd"], "reason": ""}, {"name": "ftp2", "daemons": ["vsftpd"], "reason": ""}]


@pytest.fixture
def running(world: World) -> World:
    applied(world)
    return world


def verified(world: World, *findings: dict[str, Any], servers: list[dict[str, Any]]) -> Run:
    run = verify(user=world.bob, cluster=world.cluster)
    return finished(run, master="r1", findings=list(findings), servers=servers)


def complied(world: World, *findings: dict[str, Any], servers: list[dict[str, Any]]) -> Run:
    run = comply(user=world.bob, cluster=world.cluster, reapply=False)
    return finished(run, master="r1", findings=list(findings), servers=servers)


def states(world: World) -> dict[str, tuple[str, str]]:
    return {name: machine.state for name, machine in machines(world.cluster, NAMES).items()}


def test_nothing_is_shown_where_no_machine_is_looked_at(running: World, browse: As) -> None:
    verified(running, ROUTERS, servers=[])
    assert machines(running.cluster, NAMES) == {}
    page = browse(running.victor).get(reverse("clusters:cluster", args=[running.cluster.pk])).content.decode()
    assert "On the machine" not in page


def test_each_server_has_its_word_its_findings_and_what_to_do(running: World, browse: As) -> None:
    run = verified(running, DISK, RANGE, ROUTERS, servers=SEEN)
    assert states(running) == {"ftp1": ("ok", "as wanted"), "ftp2": ("error", "1 error, 1 warning")}
    for name, home in (
        ("clusters:cluster", ""),
        ("daytwo:cluster", reverse("clusters:cluster", args=[running.cluster.pk])),
    ):
        page = unescape(browse(running.victor).get(reverse(name, args=[running.cluster.pk])).content.decode())
        row = page.partition('id="rotation"')[2].partition("</section>")[0]
        assert row.index("vsftpd: passive ports are any port") < row.index("/srv is 99 % full")
        assert "Set pasv_min_port and pasv_max_port." in row
        assert f'href="{home}#lines-vsftpd"' in row
        assert f'href="{reverse("changes:run", args=[run.pk])}#findings"' in row
        assert "ip_forward" not in row
    assert (
        'id="lines-vsftpd"'
        in browse(running.victor).get(reverse("clusters:cluster", args=[running.cluster.pk])).content.decode()
    )


def test_the_newest_look_counts_and_ports_that_sessions_met_stay_known(running: World) -> None:
    verified(running, RANGE, OUTSIDE, servers=SEEN)
    away = [{"name": "ftp2", "daemons": [], "reason": "no SSH connection to 10.0.50.12 port 22"}]
    complied(running, servers=away)
    both = machines(running.cluster, NAMES)
    assert {name: one.state for name, one in both.items()} == {
        "ftp1": ("warning", "1 warning"),
        "ftp2": ("idle", "not looked at"),
    }
    assert both["ftp2"].reason.startswith("no SSH connection")
    # The next sessions met nothing of the kind, and another look is all right.
    verified(running, servers=SEEN)
    assert set(states(running).values()) == {("ok", "as wanted")}


def test_what_a_run_put_right_is_not_told(running: World) -> None:
    verified(running, {**OUTSIDE, "repaired": True}, servers=SEEN)
    assert states(running)["ftp1"] == ("ok", "as wanted")
