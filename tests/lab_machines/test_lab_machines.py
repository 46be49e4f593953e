"""The running laboratory is what it is said to be: reachable, dirty on purpose, and quickly put back."""

from __future__ import annotations

import time

import pytest

from lab import api
from lab.topology import HOSTS, VIP, Host

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

ROUTERS = ("r1", "r2")


def output(host: str, script: str, *, user: str = "root") -> str:
    """What the script prints on the host, which must succeed."""
    done = api.run(host, script, user=user)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("host", [host.name for host in HOSTS])
def test_each_host_is_itself_and_on_time(lab_up: api.LabStatus, host: str) -> None:
    started = time.time()
    name, clock = output(host, "hostname; date +%s").split()
    assert name == host
    assert started - 3 <= int(clock) <= time.time() + 3


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_addresses_are_those_of_the_topology(lab_up: api.LabStatus, host: Host) -> None:
    shown = output(host.name, "ip -o address show scope global")
    held = {line.split()[3] for line in shown.splitlines()}
    wanted = {address for card in host.interfaces for address in card.addresses}
    assert wanted <= held
    assert not any(address.startswith((VIP, "10.0.50.1/")) for address in held)


@pytest.mark.parametrize(
    ("host", "targets"),
    [
        ("client", "192.0.2.2 192.0.2.3 2001:db8:2::2 2001:db8:2::3"),
        ("ftp1", "10.0.50.2 10.0.50.3 10.0.50.12 fd00:50::2 fd00:50::3"),
        ("ftp2", "10.0.50.2 10.0.50.3 10.0.50.11 fd00:50::2 fd00:50::3"),
    ],
)
def test_networks_connect(lab_up: api.LabStatus, host: str, targets: str) -> None:
    output(host, f"for target in {targets}; do ping -q -c 1 -W 5 $target || exit 1; done")


def test_nothing_leaves_the_lab(lab_up: api.LabStatus) -> None:
    assert api.run("r1", "ping -c 1 -W 2 -I mgmt0 198.51.100.1 || curl -m 3 http://10.0.2.2:22").returncode != 0


@pytest.mark.parametrize("router", ROUTERS)
def test_routers_have_the_kernel_and_the_programs(lab_up: api.LabStatus, router: str) -> None:
    output(router, "modinfo ip_vs ip_vs_ftp ip_vs_rr ip_vs_wlc ip_vs_sh ip_vs_mh nf_nat > /dev/null")
    output(router, "command -v keepalived ipvsadm iptables-restore nft conntrack tcpdump python3")
    assert output(router, "keepalived --version 2>&1 | head -1").startswith("Keepalived v2.2.7")
    assert output(router, "keepalived -t 2>&1; echo $?").strip() == "0"
    assert output(router, "systemctl is-active keepalived").strip() == "active"


@pytest.mark.parametrize("router", ROUTERS)
def test_routers_do_not_do_the_job_yet(lab_up: api.LabStatus, router: str) -> None:
    assert "ip_vs_ftp" not in output(router, "lsmod")
    assert output(router, "cat /proc/sys/net/ipv4/ip_forward").strip() == "0"
    assert output(router, "ipvsadm -Sn").strip() == "-A -t 192.0.2.80:8080 -s rr"


def test_r1_is_dirty_in_debians_way(lab_up: api.LabStatus) -> None:
    running, saved = output("r1", "iptables-save"), output("r1", "cat /etc/iptables/rules.v4")
    assert output("r1", "systemctl is-enabled netfilter-persistent").strip() == "enabled"
    for rule in ("--set-xmark 0x64/0xffffffff", "--clamp-mss-to-pmtu", "-A f2b-sshd -s 203.0.113.66/32", "-j DNAT"):
        assert rule in running
        assert rule in saved
    for rule in (
        ":DOCKER-USER",
        ":DOCKER-ISOLATION-STAGE-2",
        "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
    ):
        assert rule in running
        assert rule not in saved
    assert "f2b-sshd" in output("r1", "ip6tables-save")
    assert saved.startswith("# Packet filter of router r1")


def test_r2_is_dirty_in_red_hats_way_and_drops(lab_up: api.LabStatus) -> None:
    running = output("r2", "iptables-save")
    assert output("r2", "systemctl is-enabled iptables ip6tables").split() == ["enabled", "enabled"]
    assert "stand-in" in output("r2", "cat /etc/redhat-release /etc/os-release")
    assert api.run("r2", "test -e /etc/iptables || command -v netfilter-persistent").returncode == 1
    for rule in (":INPUT DROP", ":FORWARD DROP", ":DOCKER-USER", "--set-xmark 0x64/0xffffffff", "-A SSH-GUARD"):
        assert rule in running
        assert rule in output("r2", "cat /etc/sysconfig/iptables")
    assert ":FORWARD DROP" in output("r2", "ip6tables-save")


def test_r2s_firewall_unit_stops_reloads_and_starts(lab_up: api.LabStatus) -> None:
    rules = "iptables-save | grep -E '^(-A|:.* DROP)' | sed 's/ \\[.*//' || true"
    before = output("r2", rules)
    output("r2", "systemctl stop iptables")
    assert output("r2", rules) == ""
    output("r2", "systemctl start iptables && systemctl reload iptables")
    assert output("r2", rules) == before


@pytest.mark.parametrize("router", ROUTERS)
def test_router_accounts(lab_up: api.LabStatus, router: str) -> None:
    assert output(router, "sudo -n id -u", user="admin").strip() == "0"
    assert api.run(router, "sudo -n true", user="nosudo").returncode == 1
    assert api.run(router, "true", user="pwadmin").returncode == 255
    sudo = "su pwadmin -s /bin/sh -c 'sudo -k -S id -u'"
    assert api.run(router, sudo, input="lab-admin-password\n").stdout.strip() == "0"
    assert api.run(router, sudo, input="wrong\n").returncode == 1


def test_ftp_servers_offer_the_same_probe_and_their_own_name(lab_up: api.LabStatus) -> None:
    for server, address in (("ftp1", "10.0.50.11"), ("ftp2", "[fd00:50::12]")):
        base = f"curl -s -m 20 -u ftpuser:lab-ftp-password ftp://{address}"
        assert output("r1", f"{base}/server.txt").strip() == server
        output(
            "r1", f"cd /tmp && {base}/probe.bin -o probe.bin && {base}/probe.bin.sha256 | sha256sum -c && rm probe.bin"
        )
        output("r1", f"echo hello | {base}/upload/hello.txt -T - && {base}/upload/hello.txt -Q '-DELE hello.txt'")
        assert output(server, "hostname; grep pasv_max /etc/vsftpd.conf").split() == [server, "pasv_max_port=20000"]


def test_ftp_servers_have_files_and_units_of_their_own(lab_up: api.LabStatus) -> None:
    output("ftp1", "sed -i s/pasv_max_port=.*/pasv_max_port=10009/ /etc/vsftpd.conf && systemctl restart vsftpd")
    assert "pasv_max_port=20000" in output("ftp2", "cat /etc/vsftpd.conf")
    show = "curl -s -v -m 20 --disable-epsv -u ftpuser:lab-ftp-password ftp://10.0.50.11/server.txt 2>&1"
    answer = next(line for line in output("r1", show).splitlines() if "227 " in line)
    high, low = answer.rstrip(").\r").split(",")[-2:]
    assert 10000 <= int(high) * 256 + int(low) <= 10009
    output("ftp1", "sed -i s/pasv_max_port=.*/pasv_max_port=20000/ /etc/vsftpd.conf && systemctl restart vsftpd")


def test_reset_puts_files_rules_and_killed_guests_back_quickly(lab_up: api.LabStatus) -> None:
    output("r1", "echo gone > /etc/keepalived/keepalived.conf; iptables -F f2b-sshd; date -s '2001-01-01'; sync")
    output("r2", "(sleep 0.5; echo b > /proc/sysrq-trigger) > /dev/null 2>&1 &")
    started = time.monotonic()
    status = api.reset()
    assert time.monotonic() - started < 20
    assert status.ready
    assert {host.name: host.port for host in status.hosts} == {host.name: host.port for host in lab_up.hosts}
    assert "virtual_server 192.0.2.80 8080" in output("r1", "cat /etc/keepalived/keepalived.conf")
    assert "-A f2b-sshd -s 203.0.113.66/32" in output("r1", "iptables -S f2b-sshd")
    assert abs(int(output("r1", "date +%s")) - time.time()) < 3
    assert "-P INPUT DROP" in output("r2", "iptables -S INPUT")
