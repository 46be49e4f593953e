"""The guide's cluster on two real routers: applied, proven, kept, put back when something fails, repaired by compliance.

These tests go on from each other's state, in this order, because that is how a cluster lives.
"""

from __future__ import annotations

import dataclasses
import shlex
import time
from collections.abc import Sequence

import pytest

from lbftp.core import program
from lbftp.core.job import Look
from lbftp.core.measures import measures, rates
from lbftp.core.observe.numbers import Numbers
from lbftp.core.plan import plan
from lbftp.core.spec import from_json
from ops.demo import foreign
from tests.core.cases import GUIDE, guide
from tests.workers.conftest import LIMITS, Bench
from workers import sampling
from workers.observe import connected, look
from workers.remote import connect

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

# Logs in, asks for a passive port, and stays; says what it was told once it was.
_A_CLIENT = r"""
exec 3<>/dev/tcp/192.0.2.100/21
printf 'USER ftpuser\r\nPASS lab-ftp-password\r\nPASV\r\n' >&3
while read -r line <&3; do echo "$line" >>/tmp/told; case $line in 227*) break ;; esac; done
sleep 20
"""
_UNTIL_TOLD = "for n in $(seq 60); do grep -q ^227 /tmp/told && exit 0; sleep .5; done; exit 1"
EVERYTHING = {(mode, server, True) for mode in ("PASV", "EPSV", "PORT", "EPRT") for server in ("ftp1", "ftp2")}


def sample(looks: Sequence[Look]) -> dict[str, Numbers | str]:
    """What each router said, or why it said nothing."""
    return {one.access.name: found for one, found in sampling.sample(looks, sampling.limits_for(300, LIMITS))}


@pytest.fixture(scope="module")
def before(bench: Bench) -> dict[str, foreign.Look]:
    """What was there before lbftp came."""
    return bench.foreign()


def failing(bench: Bench, words: str, **changes: object) -> None:
    """An apply that fails with `words` leaves both routers as they were."""
    held = bench.look()
    outcome = bench.apply(**changes)
    assert outcome.state == "failed"
    assert words in outcome.text
    now = bench.look()
    # An emptied table is left behind by nf_tables: it has no rules and does nothing. The guard's unit stays for the next.
    for name, lines in held.items():
        assert [line for line in now[name] if line in lines] == lines
        ours = [line for line in now[name] if "LBFTP" in line or "lbftp" in line]
        assert set(ours) <= {"lbftp-guard.service"}


@pytest.mark.usefixtures("before")
def test_keepalived_s_own_check_stops_before_anything_is_written(bench: Bench) -> None:
    bench.sh(
        "r2", "cp -p /etc/keepalived/keepalived.conf /root/kept && echo 'nonsense 1' >>/etc/keepalived/keepalived.conf"
    )
    try:
        failing(bench, "keepalived refused the configuration")
        assert bench.seen.steps("r2", "failed") == ["keepalived-check"]
        assert bench.seen.steps("r1") == ["lock", "checkpoint", "guard", "restore"]
    finally:
        bench.sh("r2", "mv /root/kept /etc/keepalived/keepalived.conf")


def test_sessions_that_fail_put_everything_back(bench: Bench) -> None:
    probe = bench.job().probe
    assert probe is not None
    failing(bench, "failed at PASS", probe=dataclasses.replace(probe, password="wrong"))
    assert bench.seen.steps("r1")[-1] == bench.seen.steps("r2")[-1] == "restore"


def test_a_file_that_cannot_be_saved_puts_everything_back(bench: Bench) -> None:
    bench.sh("r1", "mount --bind /etc/iptables /etc/iptables && mount -o remount,ro,bind /etc/iptables")
    try:
        failing(bench, "«Change /etc/iptables/rules.v4» failed")
    finally:
        bench.sh("r1", "umount /etc/iptables")


def test_what_a_dead_worker_left_is_put_back(bench: Bench) -> None:
    with connected(bench.job().routers, LIMITS) as pair:
        made = plan(GUIDE, look(pair))
    steps = made.router("r2").steps
    with connect(bench.access("r2"), LIMITS) as remote:
        hold = program.Hold("lbftp", "77", "run-77-dead", 120)
        assert remote.run(program.take(hold, "token123")).code == 0
        assert remote.run(program.checkpoint(hold.checkpoint, steps, "token123", hold)).code == 0
        assert remote.run(program.apply(steps[:4], "token123", hold)).code == 0
    outcome = bench.do("apply", run_id=77, fence=2, approved_digest=made.digest)
    assert outcome.state == "failed"
    assert "put back" in outcome.text
    with connected(bench.job().routers, LIMITS) as pair:
        again = plan(GUIDE, look(pair))
    assert [s.id for s in again.router("r2").steps if s.id != "module-ip_vs_ftp"] == [
        s.id for s in steps if s.id != "module-ip_vs_ftp"
    ]


def test_the_guide_is_applied_backup_first_and_proven(bench: Bench) -> None:
    outcome = bench.apply()
    assert outcome.state == "succeeded", outcome.text
    assert outcome.result["findings"] == []
    assert outcome.result["master"] == "r1"
    assert bench.seen.sessions() == EVERYTHING
    order = [e.router for e in bench.seen.events if e.kind == "step" and e.data["id"] == "rules"]
    assert order == ["r2", "r2", "r1", "r1"]


def test_a_second_apply_changes_nothing(bench: Bench) -> None:
    held = bench.look()
    outcome = bench.apply()
    assert outcome.text.startswith("No changes")
    assert bench.look() == held


def test_live_numbers_are_those_of_the_pair(bench: Bench) -> None:
    """A client that is logged in and was told a passive port is seen; a router that is away costs nobody anything."""
    away = dataclasses.replace(bench.access("r1"), name="away", port=1)
    looks = [Look(n, 1, access, {1: GUIDE}) for n, access in enumerate((*bench.job().routers, away))]
    before = sample(looks)
    client = f"rm -f /tmp/told; setsid bash -c {shlex.quote(_A_CLIENT)} >/dev/null 2>&1 &"
    bench.sh("client", f"{client} {_UNTIL_TOLD}")
    # The kernel adds its counters up every two seconds (net/netfilter/ipvs/ip_vs_est.c).
    time.sleep(4)
    after = sample(looks)
    assert "no SSH connection" in str(after["away"])
    r1, r2 = (measures(GUIDE, name, found) for name in ("r1", "r2") if not isinstance(found := after[name], str))
    assert (r1.master, r2.master) == (True, False)
    # Sessions before it may be on their way out still.
    assert sum(server.sessions for server in r1.servers) >= 1
    assert sum(server.passive for server in r1.servers) >= 1
    assert sum(server.held for server in r1.servers) > 0
    assert all(server.weight == 1 and server.total.out_bytes > 0 for server in r1.servers)
    earlier = before["r1"]
    assert not isinstance(earlier, str)
    grown = rates(measures(GUIDE, "r1", earlier), r1)
    assert sum(counters["connections"] for counters in grown.values()) > 0


def test_what_is_foreign_is_as_it_was(bench: Bench, before: dict[str, foreign.Look]) -> None:
    for name, now in bench.foreign().items():
        assert foreign.changes(before[name], now) == []


def test_restarting_the_firewall_units_keeps_it_all(bench: Bench) -> None:
    """The guide's last step. It flushes what others merely run, so the stand-in for a container engine starts anew."""
    bench.sh("r1", "systemctl restart netfilter-persistent && systemctl restart lab-container-engine")
    bench.sh("r2", "systemctl restart iptables")
    outcome = bench.do("verify")
    assert outcome.state == "succeeded", outcome.text
    assert outcome.result["findings"] == []
    assert bench.seen.sessions() == EVERYTHING


def test_what_was_applied_comes_back_as_a_proposal(bench: Bench) -> None:
    proposals = bench.do("import").result["proposals"]
    assert [(p["name"], p["problem"], p["left"], p["in_the_way"]) for p in proposals] == [("ftp", "", [], [])]
    assert from_json(proposals[0]["fields"]) == GUIDE


def test_the_other_router_carries_every_mode_too(bench: Bench) -> None:
    """r2 drops by default in INPUT and FORWARD; it is master while r1's keepalived rests."""
    bench.sh("r1", "systemctl stop keepalived && sleep 6")
    try:
        outcome = bench.do("verify")
        assert outcome.result["master"] == "r2"
        assert bench.seen.sessions() == EVERYTHING
        assert ("r1", "keepalived-stopped") in bench.seen.findings()
        assert outcome.state == "failed"
    finally:
        bench.sh("r1", "systemctl start keepalived && sleep 6")


DRIFT = {
    "r1": "iptables -t mangle -D LBFTP-ftp 1; ipvsadm -D -f 21; sysctl -qw net.ipv4.ip_forward=0; "
    "rm /etc/modules-load.d/ip_vs_ftp.conf",
    "r2": "iptables -D FORWARD -j LBFTP-ftp-fw; iptables -t nat -F LBFTP-ftp; ipvsadm -E -f 21 -s rr -p 60; "
    "sed -i /LBFTP/d /etc/sysconfig/iptables",
}
FOUND = {
    ("r1", "chain"), ("r1", "service-missing"), ("r1", "sysctl"), ("r1", "module-file"),
    ("r2", "jump"), ("r2", "chain"), ("r2", "service-settings"), ("r2", "saved-rules"),
}  # fmt: skip


def _found(bench: Bench) -> set[tuple[str, str]]:
    """Without what the drift does to clients, which is told beside it."""
    return {(router, code) for router, code in bench.seen.findings() if code != "mode-fails"}


def test_compliance_reports_each_drift_and_touches_nothing(bench: Bench) -> None:
    for name, script in DRIFT.items():
        bench.sh(name, script)
    held = bench.look()
    outcome = bench.do("comply")
    assert outcome.state == "failed"
    assert _found(bench) == FOUND
    assert bench.look() == held


def test_compliance_puts_each_drift_right_and_ftp_works_again(bench: Bench, before: dict[str, foreign.Look]) -> None:
    outcome = bench.do("comply", reapply=True)
    assert outcome.state == "succeeded", outcome.text
    assert _found(bench) == FOUND
    assert all(row["repaired"] for row in bench.seen.findings().values())
    assert bench.seen.sessions() == EVERYTHING
    for name, now in bench.foreign().items():
        assert foreign.changes(before[name], now) == []
    assert bench.do("comply").result["findings"] == []


def test_a_change_of_the_cluster_is_rolled_out(bench: Bench) -> None:
    wider = guide(passive=dataclasses.replace(GUIDE.passive, low=9000), scheduler="rr", persistence_timeout=400)
    outcome = bench.apply(spec=wider, previous=GUIDE)
    assert outcome.state == "succeeded", outcome.text
    assert bench.seen.sessions() == EVERYTHING
    assert bench.apply(spec=wider).text.startswith("No changes")


def test_a_router_that_reboots_comes_back_complete(bench: Bench) -> None:
    """Everything that was persisted is what a boot needs; r2 is the backup, so clients do not notice."""
    wider = guide(passive=dataclasses.replace(GUIDE.passive, low=9000), scheduler="rr", persistence_timeout=400)
    bench.sh("r2", "systemd-run --on-active=1 systemctl reboot")
    bench.wait_for_boot("r2")
    outcome = bench.do("verify", spec=wider)
    assert outcome.state == "succeeded", outcome.text
    assert outcome.result["findings"] == []
