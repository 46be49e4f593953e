"""Real servers that lbftp may log in to: what is wrong on their own machines is found, told as theirs, and put right.

Nothing is applied to the pair. The tests go on from each other's state, in this order.
"""

from __future__ import annotations

import json
import shlex
from typing import Any, Final

import pytest

from lbftp.core import ours
from lbftp.core.ftp.host_program import program
from lbftp.core.ftp_keys import KIND
from tests.lab.conftest import SERVERS, Kinds
from tests.workers.conftest import Bench
from workers.outcome import Outcome

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

# What the server tells clients in answer to PASV, asked on its own machine.
_PASV: Final = """python3 - <<'END'
import ftplib, json
ftp = ftplib.FTP()
ftp.connect("127.0.0.1", 21, 30)
ftp.login("ftpuser", "lab-ftp-password")
print(json.dumps([ftplib.parse227(ftp.sendcmd("PASV")) for _ in range(3)]))
END
"""
# The unit does not start with another text than this, as under a policy that nobody can ask before.
_PICKY: Final = """
mkdir -p /run/systemd/system/vsftpd@ftp1.service.d
printf '[Service]\\nExecStartPre=/bin/grep -q pasv_address /etc/vsftpd.conf\\n' \
  >/run/systemd/system/vsftpd@ftp1.service.d/picky.conf
systemctl daemon-reload
"""
# The other daemons: a file of theirs, and the line with which it names other passive ports than the cluster's.
_OTHERS: Final = {
    "proftpd": ("/etc/proftpd/proftpd.conf", "PassivePorts 30000 30999"),
    "pure-ftpd": ("/etc/pure-ftpd/conf/PassivePortRange", "30000 30999"),
}
# What the cluster needs otherwise as well than Debian's files have it.
_NEEDED: Final = {"proftpd": {"TimeoutIdle 300", "RootRevoke off"}, "pure-ftpd": set[str]()}
_FREE: Final = "rm -r /run/systemd/system/vsftpd@ftp1.service.d; systemctl daemon-reload"


@pytest.fixture
def bench(kinds: Kinds) -> Bench:
    return kinds.bench


def accesses(bench: Bench) -> dict[str, Any]:
    return {"servers": tuple(bench.access(name) for name in SERVERS)}


def look(bench: Bench) -> dict[str, str]:
    """A compliance check: code -> what it says of the real servers."""
    found = bench.do("comply", **accesses(bench)).result["findings"]
    return {f["code"]: f["what"] for f in found if f["code"].startswith(("ftpd-", "server-"))}


def set_keys(bench: Bench) -> Outcome:
    """Plans for both servers, and carries that out."""
    change = {"change": KIND, "params": {"servers": list(SERVERS)}, **accesses(bench)}
    planned = bench.do("plan", **change)
    assert planned.plan is not None, planned.text
    return bench.do(KIND, approved_digest=planned.plan.digest, **change)


def told(bench: Bench, name: str) -> tuple[set[str], bool]:
    """The addresses that PASV names, and whether its ports are the cluster's."""
    answers = json.loads(bench.sh(name, _PASV))
    return {host for host, _ in answers}, all(10000 <= port <= 20000 for _, port in answers)


def conf(bench: Bench, name: str) -> list[str]:
    return bench.sh(name, "cat /etc/vsftpd.conf").splitlines()


def test_what_was_broken_on_servers_is_told_as_theirs(bench: Bench) -> None:
    assert look(bench) == {}
    assert ("servers", "done") in [(e.data["id"], e.data["state"]) for e in bench.seen.events if e.kind == "step"]
    bench.sh(
        "ftp1",
        "sed -i 's/^pasv_max_port=.*/pasv_max_port=30000/' /etc/vsftpd.conf; ip route replace default via 10.0.50.99",
    )
    bench.sh("ftp2", "echo pasv_address=192.0.2.9 >>/etc/vsftpd.conf; systemctl restart vsftpd")
    found = look(bench)
    assert set(found) == {"ftpd-passive-range", "ftpd-pasv-address", "server-route"}
    assert found["ftpd-passive-range"].startswith("ftp1 (vsftpd): passive ports are 10000-30000")
    assert found["server-route"].startswith("ftp1: its default route leads to 10.0.50.99")
    bench.sh("ftp1", "ip route replace default via 10.0.50.1")


def test_a_look_changes_nothing(bench: Bench) -> None:
    everything = "find /etc /home /root -type f | sort | xargs -d '\\n' sha256sum"
    before = bench.sh("ftp1", everything)
    bench.sh("ftp1", program())
    assert bench.sh("ftp1", everything) == before


def test_just_those_keys_are_set_and_the_daemons_use_them(bench: Bench) -> None:
    """ftp1's change needs a reload only, which keeps its process; what is taken out at ftp2 needs a restart."""
    before = {name: conf(bench, name) for name in SERVERS}
    pids = {name: bench.sh(name, "systemctl show -p MainPID vsftpd") for name in SERVERS}
    outcome = set_keys(bench)
    assert outcome.state == "succeeded", outcome.text
    assert outcome.text == "ftp1 and ftp2 are set and listen; nothing of it is found any more."
    assert conf(bench, "ftp1") == [x.replace("pasv_max_port=30000", "pasv_max_port=20000") for x in before["ftp1"]]
    assert conf(bench, "ftp2") == [x for x in before["ftp2"] if not x.startswith("pasv_address")]
    for name in SERVERS:
        addresses, ours = told(bench, name)
        assert (addresses, ours) == ({"127.0.0.1"}, True), name
        assert bench.seen.steps(name)[-1] == "look-again"
    assert bench.sh("ftp1", "systemctl show -p MainPID vsftpd") == pids["ftp1"]
    assert bench.sh("ftp2", "systemctl show -p MainPID vsftpd") != pids["ftp2"]
    assert look(bench) == {}


def test_a_unit_that_does_not_start_again_gets_its_old_file_back(bench: Bench) -> None:
    bench.sh("ftp1", f"echo pasv_address=192.0.2.9 >>/etc/vsftpd.conf; systemctl restart vsftpd; {_PICKY}")
    before = conf(bench, "ftp1")
    try:
        outcome = set_keys(bench)
        assert outcome.state == "failed", outcome.text
        assert outcome.text.endswith("What was there before is back, and it listens. No other server was changed.")
        assert conf(bench, "ftp1") == before
        assert bench.sh("ftp1", "systemctl is-active vsftpd") == "active\n"
        assert "restored" in bench.sh("ftp1", f"cat {ours.SERVERS}/*-ftp1-*/state")
        assert bench.seen.steps("ftp1")[-1] == "restore"
    finally:
        bench.sh("ftp1", _FREE)
    assert set_keys(bench).state == "succeeded"


@pytest.mark.parametrize("daemon", list(_OTHERS))
def test_the_other_daemons_are_brought_into_step(bench: Bench, daemon: str) -> None:
    """ftp1 serves with another daemon, whose passive ports are its own."""
    path, line = _OTHERS[daemon]
    write = f"printf '# Ours\\n%s\\n' {shlex.quote(line)} >>{path}" if line[0].isupper() else f"echo {line} >{path}"
    bench.sh("ftp1", f"systemctl stop vsftpd; {write}; systemctl start {daemon}")
    try:
        assert look(bench)["ftpd-passive-range"].startswith(f"ftp1 ({daemon}): passive ports are 30000-30999")
        before = bench.sh("ftp1", f"cat {path}").splitlines()
        outcome = set_keys(bench)
        assert outcome.state == "succeeded", outcome.text
        now = bench.sh("ftp1", f"cat {path}").splitlines()
        ours = line.replace("30000 30999", "10000 20000")
        put, gone = [x for x in now if x not in before], [x for x in before if x not in now]
        assert set(put) == {ours, *_NEEDED[daemon]}
        assert line in gone
        assert {x.split()[0] for x in gone} <= {x.split()[0] for x in put}
        assert told(bench, "ftp1")[1]
        assert "ftpd-passive-range" not in look(bench)
    finally:
        bench.sh("ftp1", f"systemctl stop {daemon}; systemctl start vsftpd")


def test_a_stopped_daemon_is_found(bench: Bench) -> None:
    bench.sh("ftp2", "systemctl stop vsftpd")
    assert look(bench)["ftpd-stopped"].startswith("ftp2: no FTP daemon is running")
