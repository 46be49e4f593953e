"""State checks: nothing is found on a pair that is as planned; each finding is shown at work on one that is not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

import pytest

from lbftp.core.checks import sessions
from lbftp.core.checks.catalogue import entry
from lbftp.core.checks.catalogue.world import WORLD
from lbftp.core.checks.pair import awaited
from lbftp.core.checks.state import check
from lbftp.core.findings import Finding
from lbftp.core.observe import iptables, ipvs
from lbftp.core.observe.beside import Beside, Setting, Use, Word, beside
from lbftp.core.observe.observed import Observed, Unit
from lbftp.core.spec import ClusterSpec, PortRange
from tests.core import cases
from tests.core.cases import GUIDE, guide

Pair = dict[str, Observed]
Drift = Callable[[Pair], None]

VIP = "-d 192.0.2.100/32 -p tcp"


def pair(when: str) -> Pair:
    """The recorded routers; of numbers they told only the first digit then."""
    tracking = {"net.netfilter.nf_conntrack_count": "40", "net.netfilter.nf_conntrack_max": "1000"}
    both = cases.pair(when)
    return {name: dataclasses.replace(one, sysctls={**one.sysctls, **tracking}) for name, one in both.items()}


def found(drift: Drift, spec: ClusterSpec = GUIDE) -> list[Finding]:
    both = pair("applied")
    drift(both)
    return check(spec, both)


def codes(drift: Drift, spec: ClusterSpec = GUIDE) -> set[tuple[str, str]]:
    return {(f.router, f.code) for f in found(drift, spec)}


def _changed(router: str, **values: Any) -> Drift:
    def drift(both: Pair) -> None:
        both[router] = dataclasses.replace(both[router], **values)

    return drift


def _aside(router: str, **values: Any) -> Drift:
    return _changed(router, beside=Beside(**values))


def _printed(rules: iptables.Ruleset) -> list[str]:
    lines = []
    for table, chains in rules.tables.items():
        lines += [f"*{table}", *(f":{c.name} {c.policy} [0:0]" for c in chains.values())]
        lines += [*(r.text for c in chains.values() for r in c.rules), "COMMIT"]
    return lines


def _with_rule(rules: iptables.Ruleset, table: str, text: str, before: str) -> iptables.Ruleset:
    """`rules` with one more before the first that begins with `before` ('': the end of the table)."""
    lines = _printed(rules)
    if f"*{table}" not in lines:
        lines += [f"*{table}", f":{text.split()[1]} ACCEPT [0:0]", "COMMIT"]
    start = lines.index(f"*{table}")
    end = lines.index("COMMIT", start)
    place = next((n for n in range(start, end) if before and lines[n].startswith(before)), end)
    return iptables.parse("\n".join([*lines[:place], text, *lines[place:]]))


def _rule(router: str, table: str, text: str, before: str = "", *, saved: bool = False) -> Drift:
    def drift(both: Pair) -> None:
        one = both[router]
        if saved:
            both[router] = dataclasses.replace(one, saved=_with_rule(one.saved, table, text, before))
        else:
            both[router] = dataclasses.replace(one, running=_with_rule(one.running, table, text, before))

    return drift


def _services(router: str, *servers: str) -> Drift:
    lines = ["-A -f 21 -s wlc -p 360", *(f"-a -f 21 -r {server} -m -w 1" for server in servers)]
    return _changed(router, services=ipvs.parse("\n".join(lines)))


def _several(*drifts: Drift) -> Drift:
    def drift(both: Pair) -> None:
        for one in drifts:
            one(both)

    return drift


def _keepalived(router: str, active: str) -> Drift:
    def drift(both: Pair) -> None:
        unit = Unit("keepalived.service", True, active, "enabled")
        both[router] = dataclasses.replace(both[router], units={**both[router].units, unit.name: unit})

    return drift


def _swapped(both: Pair) -> None:
    """The addresses that move are on r2."""
    floating = {IPv4Address("192.0.2.100"), IPv4Address("10.0.50.1")}
    one, two = both["r1"].facts, both["r2"].facts
    moved = {n: tuple(a for a in found if a.ip in floating) for n, found in one.interfaces.items()}
    left = {n: tuple(a for a in found if a.ip not in floating) for n, found in one.interfaces.items()}
    both["r1"] = dataclasses.replace(both["r1"], facts=dataclasses.replace(one, interfaces=left))
    more = {n: (*found, *moved.get(n, ())) for n, found in two.interfaces.items()}
    both["r2"] = dataclasses.replace(both["r2"], facts=dataclasses.replace(two, interfaces=more))


def _tracking(count: int) -> Drift:
    values = {"net.netfilter.nf_conntrack_count": str(count), "net.netfilter.nf_conntrack_max": "1000"}

    def drift(both: Pair) -> None:
        both["r2"] = dataclasses.replace(both["r2"], sysctls={**both["r2"].sysctls, **values})

    return drift


def _in_use(count: int) -> Drift:
    use = tuple(Use("192.0.2.100", "10.0.50.12", 30000 + n, 1) for n in range(count))
    return _aside("r1", use=use)


NARROW = guide(passive=PortRange(30000, 30099))
MARK22 = "-j MARK --set-xmark 0x16/0xffffffff"

# Code -> (what is done, the cluster, the router of the finding, words of it, further findings).
SHOWN: dict[str, tuple[Drift, ClusterSpec, str, str, set[str]]] = {
    "rule-takes-first": (_rule("r1", "mangle", f"-A PREROUTING {VIP} -j ACCEPT", "-A PREROUTING"), GUIDE, "r1",
                         "before they get the mark", {"mode-fails"}),
    "rule-marks-over": (_rule("r1", "mangle", f"-A PREROUTING {VIP} -m tcp --dport 21 {MARK22}"), GUIDE, "r1",
                        "another mark after ours (port 21)", {"mode-fails"}),
    "rule-redirects": (_rule("r1", "nat", f"-A PREROUTING {VIP} -m tcp --dport 21 -j DNAT --to-destination 10.0.50.11",
                             "-A PREROUTING"), GUIDE, "r1", "nat PREROUTING", set()),
    "rule-untracks": (_rule("r1", "raw", f"-A PREROUTING {VIP} -j CT --notrack"), GUIDE, "r1", "raw PREROUTING",
                      {"mode-fails"}),
    "rule-drops": (_rule("r1", "filter", f"-A INPUT {VIP} -m tcp --dport 21 -j DROP", "-A INPUT"), GUIDE, "r1",
                   "INPUT loses packets of the cluster before our accepts let them pass: all modes fail", set()),
    "rule-takes-source": (_rule("r1", "nat", "-A POSTROUTING -s 10.0.50.0/24 -o pub0 -j SNAT --to-source 192.0.2.9",
                                "-A POSTROUTING"), GUIDE, "r1", "nat POSTROUTING", {"mode-fails"}),
    "saved-rule-wins": (_rule("r2", "filter", f"-A INPUT {VIP} -j DROP", "-A INPUT", saved=True), GUIDE, "r2",
                        "After a reboot a foreign rule in /etc/sysconfig/iptables wins", {"saved-rules"}),
    "mark-routed": (_aside("r2", routing=("100: from all fwmark 0x15 lookup 7",)), GUIDE, "r2", "mark 21", set()),
    "sysctl-overridden": (
        _aside("r1", settings=(Setting("/etc/sysctl.d/99-x.conf", "net.ipv4.ip_forward", "0"),)), GUIDE, "r1",
        "/etc/sysctl.d/99-x.conf sets net.ipv4.ip_forward to 0", set()),
    "module-blocked": (
        lambda both: _changed("r2", files={**both["r2"].files, "/etc/modprobe.d/x.conf": "blacklist ip_vs_ftp\n"})(both),
        GUIDE, "r2", "/etc/modprobe.d/x.conf keeps the helper", set()),
    "conntrack-filling": (_tracking(850), GUIDE, "r2", "85 %", set()),
    "conntrack-full": (_tracking(999), GUIDE, "r2", "99 %", set()),
    "passive-filling": (_in_use(80), NARROW, "r1", "ftp2 has 80 %", set()),
    "passive-full": (_in_use(100), NARROW, "r1", "ftp2 has 100 %", set()),
    "mode-fails": (_changed("r1", modules=frozenset()), GUIDE, "r1", "as it is PASV fail", {"module"}),
    "no-servers": (_services("r1"), GUIDE, "r1", "every mode fails", {"destination-missing", "mode-fails"}),
    "quorum-lost": (_services("r1", "10.0.50.11:0"), guide(quorum=2), "r1", "less than the quorum 2",
                    {"destination-missing"}),
    "health-differs": (
        _several(_services("r1", "10.0.50.11:0"), _aside("r1", words={(21, "10.0.50.12"): Word(False, "2023-11-14 22:13:20 UTC", "timeout")})),
        GUIDE, "r1", "ftp2 is in rotation on r2 and not here", {"destination-down"}),
    "backup-serves": (_several(_swapped, _keepalived("r1", "inactive")), GUIDE, "", "keepalived does not run on r1",
                      {"keepalived-stopped"}),
    "preemption-fails": (_swapped, GUIDE, "", "r2 carries the clients, though r1 has the higher priority", set()),
}  # fmt: skip


def test_nothing_is_found_on_a_pair_that_is_as_planned() -> None:
    assert check(GUIDE, pair("applied")) == []


def test_every_code_is_shown_at_work() -> None:
    assert {*SHOWN, "passive-outside"} == {one.code for one in WORLD}


@pytest.mark.parametrize("code", SHOWN)
def test_each_finding(code: str) -> None:
    drift, spec, router, words, more = SHOWN[code]
    said = found(drift, spec)
    before = {f.code for f in check(spec, pair("applied"))}
    (one,) = [f for f in said if f.code == code]
    assert (one.router, one.severity, one.repairable) == (router, entry(code).severity, False)
    assert words in one.what
    assert one.remedy
    assert {f.code for f in said} - before - {code} <= more


def test_a_server_that_chooses_ports_outside_the_range_is_told_even_if_sessions_worked() -> None:
    ports = (("ftp1", 10000), ("ftp1", 20000), ("ftp2", 30005), ("ftp2", 30001), ("ftp1", 0))
    (one,) = sessions.check(GUIDE, [{"ok": True, "real_server": name, "told_port": port} for name, port in ports])
    assert (one.code, one.router, one.severity, one.found) == ("passive-outside", "ftp2", "warning", "30001, 30005")
    assert list(sessions.check(GUIDE, [{"mode": "PASV"}])) == []


def test_without_preemption_the_backup_may_keep_the_clients() -> None:
    (one,) = [f for f in found(_swapped, guide(preempt=False)) if f.code == "backup-serves"]
    assert (one.severity, one.remedy) == ("info", "Nothing, if that is meant.")
    (one,) = [f for f in found(_swapped, guide(preempt_delay=60)) if f.code == "backup-serves"]
    assert "60 s after it has come back" in one.what


def test_a_router_that_has_to_take_over_at_once_is_awaited() -> None:
    at_home, swapped, rests = pair("applied"), pair("applied"), pair("applied")
    _swapped(swapped)
    _several(_swapped, _keepalived("r1", "inactive"))(rests)
    assert [awaited(GUIDE, both) for both in (at_home, swapped, rests)] == ["", "r1", ""]
    assert awaited(GUIDE, {"r2": swapped["r2"]}) == ""
    for waits in (guide(preempt=False), guide(preempt_delay=60)):
        assert awaited(waits, swapped) == ""


def test_who_took_a_server_out_is_told_by_keepalived_s_last_word() -> None:
    lost = _services("r1", "10.0.50.11:0")
    assert ("r1", "destination-missing") in codes(lost)
    assert ("r1", "destination-removed") in codes(_several(lost, _aside("r1", told=True)))
    down = _aside("r1", words={(21, "10.0.50.12"): Word(False, "2023-11-14 22:13:20 UTC", "TCP_CHECK failed")})
    (one,) = [f for f in found(_several(lost, down)) if f.code == "destination-down"]
    assert one.found == "not in rotation since 2023-11-14 22:13:20 UTC: TCP_CHECK failed"


def test_a_rule_of_others_about_other_packets_is_no_finding() -> None:
    for text, table, before in (
        ("-A INPUT -d 192.0.2.100/32 -p udp -j DROP", "filter", "-A INPUT"),
        ("-A INPUT -s 203.0.113.0/24 -p tcp -m tcp --dport 21 -j DROP", "filter", "-A INPUT"),
        ("-A PREROUTING -d 192.0.2.99/32 -p tcp -j ACCEPT", "mangle", "-A PREROUTING"),
        (f"-A PREROUTING {VIP} -m tcp --dport 80 -j DNAT --to-destination 10.0.50.9", "nat", "-A PREROUTING"),
    ):
        assert codes(_rule("r1", table, text, before)) == set(), text


JOURNAL = """\
2023-11-14T22:13:20+0000 r1 Keepalived[10]: Starting Keepalived v2.2.7 (01/16,2022)
2023-11-14T22:13:30+0000 r1 Keepalived_healthcheckers[12]: TCP connection to [10.0.50.12]:none:0 timeout.
2023-11-14T22:13:40+0000 r1 Keepalived_healthcheckers[12]: TCP_CHECK on service [10.0.50.12]:none:0 failed.
2023-11-14T22:13:40+0000 r1 Keepalived_healthcheckers[12]: Removing service [10.0.50.12]:none:0 from VS FWM 21
2023-11-14T22:13:50+0000 r1 Keepalived_healthcheckers[12]: Removing service [10.0.50.11]:none:0 from VS FWM 21
2023-11-14T22:14:00+0000 r1 Keepalived_healthcheckers[12]: Adding service [10.0.50.11]:none:0 to VS FWM 21
"""


def test_keepalived_s_words_are_read_from_its_journal() -> None:
    read = beside({"journal": JOURNAL})
    assert read.told
    assert read.word(21, "10.0.50.12") == Word(
        False, "2023-11-14 22:13:40 UTC", "TCP_CHECK on service [10.0.50.12]:none:0 failed."
    )
    assert read.word(21, "10.0.50.11") == Word(True, "2023-11-14 22:14:00 UTC")
    assert read.word(22, "10.0.50.12") == Word(True)
    assert beside({"journal": JOURNAL.partition("\n")[2]}).word(22, "10.0.50.12") is None
    anew = beside({"journal": f"{JOURNAL}2023-11-14T22:14:10+0000 r1 Keepalived[20]: Starting Keepalived v2.2.7\n"})
    assert anew.word(21, "10.0.50.12") == Word(True)


UNITS = "Id=keepalived.service\nActiveState=active\nStateChangeTimestampMonotonic=90000000\n"
STAMPS = "1000 uptime\n{} /etc/keepalived/lbftp.d/ftp.conf\n"


@pytest.mark.parametrize(("stamp", "late"), [(980, False), (991, False), (993, True), (1001, False)])
def test_a_file_that_changed_after_keepalived_read_it_is_late(stamp: int, late: bool) -> None:
    """The router has been up for 100 s at 1000, and keepalived began at 90 s: at 990. What was written under a clock that
    was ahead tells nothing."""
    read = beside({"uptime": "100.00\n", "units": UNITS, "changed": STAMPS.format(stamp)})
    assert bool(read.late) == late


def test_of_sysctl_files_the_last_name_counts_and_etc_hides_others() -> None:
    files = "/etc/sysctl.d/90-lbftp.conf\n/usr/lib/sysctl.d/95-dist.conf\n/etc/sysctl.d/95-dist.conf\n"
    lines = (
        "/etc/sysctl.d/90-lbftp.conf:net.ipv4.ip_forward = 1\n"
        "/usr/lib/sysctl.d/95-dist.conf:net.ipv4.ip_forward = 0\n"
        "/etc/sysctl.d/95-dist.conf:-net/ipv4/ip_forward=1\n"
    )
    read = beside({"sysctl.files": files, "sysctl.lines": lines})
    assert read.at_boot("net.ipv4.ip_forward") == Setting("/etc/sysctl.d/95-dist.conf", "net.ipv4.ip_forward", "1")
    assert read.at_boot("net.ipv6.conf.all.forwarding") is None


def test_ports_in_use_are_read_and_what_is_not_understood_is_left_out() -> None:
    read = beside({"use": "C0000264 0A00320B 2711 3\nnonsense\nC0000264 0A00320B zz 3\n"})
    assert read.use == (Use("192.0.2.100", "10.0.50.11", 10001, 3),)


def test_a_rule_for_what_is_left_over_is_not_blamed_where_our_accepts_are_missing() -> None:
    """Red Hat's filter ends with a REJECT; without our jump everything runs into it."""

    def drift(both: Pair) -> None:
        lines = [line for line in _printed(both["r2"].running) if line != "-A INPUT -j LBFTP-ftp-in"]
        both["r2"] = dataclasses.replace(both["r2"], running=iptables.parse("\n".join(lines)))

    last = _rule("r2", "filter", "-A INPUT -j REJECT --reject-with icmp-host-prohibited")
    assert codes(last) == set()
    assert codes(_several(last, drift)) == {("r2", "jump"), ("r2", "mode-fails")}


def test_an_interface_s_addresses_decide_who_serves() -> None:
    """The pair's fixtures hold what the tests above move."""
    held = [a for found in pair("applied")["r1"].facts.interfaces.values() for a in found]
    assert IPv4Interface("192.0.2.100/32") in held
