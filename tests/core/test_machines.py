"""What a look at servers' own machines leaves behind, and whose each finding is."""

from __future__ import annotations

import dataclasses

from lbftp.core.ftp.host import Instance
from lbftp.core.ftp.host_findings import host_findings
from lbftp.core.ftp.looks import looked_at, server_of
from tests.core.cases import GUIDE
from tests.core.test_ftp_host import HOST

NAMES = ("ftp1", "ftp2")


def test_findings_of_a_machine_are_its_server_s() -> None:
    full = dataclasses.replace(HOST, name="ftp2", full={"/srv": 99})
    found = [one.to_json() for one in host_findings(GUIDE, {"ftp2": full})]
    assert "server-disk" in {one["code"] for one in found}
    assert {server_of(one, NAMES) for one in found} == {"ftp2"}
    assert {server_of(one, ["ftp1"]) for one in found} == {""}


def test_others_are_the_routers_or_the_pair_s() -> None:
    outside = {"code": "passive-outside", "router": "ftp1", "what": "ftp1 chooses passive ports outside"}
    assert server_of(outside, NAMES) == "ftp1"
    assert server_of({"code": "destination-down", "router": "r1", "what": "ftp1: down"}, NAMES) == ""
    assert server_of({}, NAMES) == ""


def test_which_servers_were_looked_at_and_which_not() -> None:
    both = dataclasses.replace(HOST, instances=(Instance("proftpd", "", "", (21,)), Instance("vsftpd", "", "", (990,))))
    assert looked_at({"ftp2": both}, {"ftp1": "no SSH connection"}) == [
        {"name": "ftp1", "daemons": [], "reason": "no SSH connection"},
        {"name": "ftp2", "daemons": ["proftpd", "vsftpd"], "reason": ""},
    ]
