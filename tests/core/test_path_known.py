"""The packets' way through what a spec promises, and through what recorded routers have."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbftp.core.ftp.server import FtpServer
from lbftp.core.observe import iptables
from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.ipvs import Destination, Service
from lbftp.core.observe.observed import Observed
from lbftp.core.path import MODES, Client, Ports, State, predict, predict_mode, state_from_observed, state_from_spec
from lbftp.core.path.redirects import destination
from lbftp.core.promise import promised
from lbftp.core.spec import PortRange, RealServerSpec
from tests.core.cases import GUIDE, guide, pair


def outcomes(state: State) -> dict[str, str]:
    return {str(mode): found.outcome for mode, found in predict(state).items()}


def test_a_spec_promises_the_guide() -> None:
    assert state_from_spec(GUIDE) == State()
    assert set(outcomes(state_from_spec(GUIDE)).values()) == {"ok"}
    assert state_from_spec(guide(passive=PortRange(30000, 31000))).marked[1] == Ports(30000, 31000)


SIX: dict[str, Any] = {
    "vip6": IPv6Address("2001:db8::100"),
    "internal_network6": IPv6Network("fd00:50::/64"),
    "real_servers": (RealServerSpec("ftp1", IPv4Address("10.0.50.11"), IPv6Address("fd00:50::11")),),
}
ADVERTISE: dict[str, Any] = {"mode": "advertise", "tls": True, "implicit_ports": (990,)}


@pytest.mark.parametrize("changes", [
    {},
    {"control_ports": (21, 2121)},
    {"active": "snat"},
    {"passive": PortRange(1024, 65535)},
    SIX,
    ADVERTISE,
    {**ADVERTISE, **SIX, "active": "snat", "control_ports": (21, 2121)},
    {**ADVERTISE, "active": "none"},
    {**ADVERTISE, **SIX, "forwarding": "DR"},
    {**ADVERTISE, "forwarding": "TUN", "active": "none"},
    {**ADVERTISE, "control_ports": ()},
])  # fmt: skip
def test_what_is_promised_works(changes: dict[str, Any]) -> None:
    spec = guide(**changes)
    for client in promised(spec):
        found = predict_mode(state_from_spec(spec, client), client.mode)
        assert found.works, (client, found.reason)


@pytest.mark.parametrize(("changes", "client", "expected"), [
    # Why TLS is not promised with the helper, and plain FTP is with either.
    ({}, Client("pasv", tls="explicit"), ("unreachable", "under TLS ip_vs_ftp cannot read")),
    ({}, Client("epsv", tls="explicit"), ("ok", "persistence")),
    ({"mode": "advertise"}, Client("pasv"), ("ok", "advertises the VIP")),
    ({"mode": "advertise"}, Client("port"), ("ok", "MASQUERADE")),
    ({"mode": "advertise", "active": "snat"}, Client("port"), ("ok", "SNAT lets it out as VIP:20")),
    ({"mode": "advertise", "active": "none"}, Client("port"), ("timeout", "no MASQUERADE or SNAT")),
    ({"mode": "advertise", "persistence_timeout": 0}, Client("epsv"), ("refused", "Without persistence")),
    ({"mode": "advertise", "implicit_ports": (990,), "active": "snat"}, Client("port", tls="implicit", port=990),
     ("ok", "SNAT lets it out as VIP:989")),
    ({"control_ports": (2121,)}, Client("port", port=2121), ("ok", "leaves as VIP:2120")),
    ({"mode": "advertise", "forwarding": "DR"}, Client("port"), ("ok", "")),
    ({"mode": "advertise", "forwarding": "DR", "active": "none"}, Client("port"), ("timeout", "answers to VIP:20 do not reach")),
    (SIX, Client("eprt", 6), ("ok", "leaves as VIP:20")),
    # Nothing is in rotation: whoever was there before stays.
    ({"real_servers": (RealServerSpec("ftp1", IPv4Address("10.0.50.11"), weight=0),)}, Client("epsv"), ("refused", "weight 0")),
    ({"real_servers": (RealServerSpec("ftp1", IPv4Address("10.0.50.11"), weight=0),)}, Client("epsv", pinned=True),
     ("ok", "prepared")),
    ({"real_servers": (RealServerSpec("ftp1", IPv4Address("10.0.50.11"), weight=0),), "persistence_timeout": 0},
     Client("epsv", pinned=True), ("refused", "weight 0")),
])  # fmt: skip
def test_kinds_of_clients(changes: dict[str, Any], client: Client, expected: tuple[str, str]) -> None:
    found = predict_mode(state_from_spec(guide(**changes), client), client.mode)
    assert (found.outcome, expected[1] in found.reason) == (expected[0], True), found.reason


def test_hops_name_the_rules() -> None:
    mark = "-d 192.0.2.100 -p tcp --dport 10000:20000 -j MARK --set-xmark 0x15/0xffffffff"
    nat = "-s 10.0.50.0/24 -p tcp --sport 20 -j MASQUERADE"
    promised_, found = state_from_spec(GUIDE), state_from_observed(GUIDE, pair("applied")["r1"])
    for state, prefix in ((promised_, ""), (found, "-A LBFTP-ftp ")):
        bys = [hop.by.replace(" -m tcp", "").replace("/32", "") for hop in predict(state)["epsv"].hops]
        assert prefix + mark in bys
        assert state.texts.source_nat.replace(" -m tcp", "") == prefix + nat


SERVER = FtpServer("vsftpd", (10000, 20000), 300)


@pytest.mark.parametrize(("readings", "client", "expected"), [
    ([SERVER], Client("pasv"), ("ok", "rewrites")),
    # Another port is another server's matter.
    ([dataclasses.replace(SERVER, control_port=2121, passive_on=False)], Client("pasv"), ("ok", "rewrites")),
    ([SERVER, dataclasses.replace(SERVER, pasv_address="192.0.2.100")], Client("pasv"), ("timeout", "advertised address VIP")),
    ([dataclasses.replace(SERVER, pasv_address="198.51.100.9")], Client("pasv"), ("timeout", "198.51.100.9")),
    ([dataclasses.replace(SERVER, passive=(30000, 31000))], Client("epsv"), ("ok", "prepared")),
    ([dataclasses.replace(SERVER, passive=None)], Client("epsv", tls="explicit"), ("refused", "offers no TLS")),
    ([dataclasses.replace(SERVER, passive=None, tls=True)], Client("epsv", tls="explicit"), ("refused", "VIP:1024")),
    ([dataclasses.replace(SERVER, tls=True, tls_required=True)], Client("epsv"), ("refused", "sessions with TLS only")),
    ([dataclasses.replace(SERVER, tls=True, implicit=True)], Client("epsv", tls="explicit"), ("refused", "from the first byte")),
    ([SERVER], Client("epsv", tls="implicit"), ("refused", "does not expect TLS from the first byte")),
    ([dataclasses.replace(SERVER, families=(6,))], Client("port"), ("refused", "vsftpd does not listen over IPv4")),
    ([dataclasses.replace(SERVER, bound="10.0.50.12")], Client("epsv"), ("ok", "")),
    ([dataclasses.replace(SERVER, bound="192.0.2.100")], Client("epsv"), ("refused", "listens at 192.0.2.100 only")),
    ([dataclasses.replace(SERVER, passive_on=False)], Client("epsv"), ("refused", "passive mode switched off")),
    ([dataclasses.replace(SERVER, active_on=False)], Client("port"), ("refused", "active mode switched off")),
    ([dataclasses.replace(SERVER, data_port=0)], Client("port"), ("timeout", "no MASQUERADE or SNAT")),
])  # fmt: skip
def test_what_the_ftp_servers_have_counts(readings: list[FtpServer], client: Client, expected: tuple[str, str]) -> None:
    found = predict_mode(state_from_spec(GUIDE, client, readings), client.mode)
    assert (found.outcome, expected[1] in found.reason) == (expected[0], True), found.reason


def test_a_helper_that_another_cluster_needs_breaks_pasv_of_advertise() -> None:
    """The module watches its ports for every NAT service of the router (truth 5)."""
    spec = guide(mode="advertise")
    seen = pair("applied")["r1"]
    assert outcomes(state_from_observed(spec, seen)) == {"pasv": "timeout", "epsv": "ok", "port": "ok", "eprt": "ok"}
    elsewhere = dataclasses.replace(seen, module_parameters={"ip_vs_ftp.ports": "2121,0"})
    assert set(outcomes(state_from_observed(spec, elsewhere)).values()) == {"ok"}


def test_an_ip_version_that_a_cluster_lacks() -> None:
    with pytest.raises(KeyError):
        state_from_spec(GUIDE, Client("epsv", 6))
    with pytest.raises(KeyError):
        predict_mode(state_from_spec(guide(**SIX), Client("epsv", 6)), "pasv")


@pytest.mark.parametrize("router", ["r1", "r2"])
def test_an_applied_router_is_what_the_spec_promises(router: str) -> None:
    found = state_from_observed(GUIDE, pair("applied")[router])
    assert dataclasses.replace(found, filters=(), conntrack=False) == State()
    assert found.conntrack
    assert set(outcomes(found).values()) == {"ok"}


@pytest.mark.parametrize(("router", "word"), [("r1", "refused"), ("r2", "timeout")])
def test_a_fresh_router_carries_nothing(router: str, word: str) -> None:
    """r2 drops in INPUT what r1 answers with a reset."""
    found = predict(state_from_observed(GUIDE, pair("fresh")[router]))
    assert {p.outcome for p in found.values()} == {word}


def without(words: str) -> Callable[[Observed], Observed]:
    """The router without the rules that contain `words`."""

    def change(seen: Observed) -> Observed:
        tables = {
            table: {
                name: dataclasses.replace(c, rules=tuple(r for r in c.rules if words not in r.text))
                for name, c in chains.items()
            }
            for table, chains in seen.running.tables.items()
        }
        return dataclasses.replace(seen, running=iptables.Ruleset(tables))

    return change


def served(**changes: Any) -> Callable[[Observed], Observed]:
    def change(seen: Observed) -> Observed:
        service = dataclasses.replace(seen.services["fwmark 21"], **changes)
        return dataclasses.replace(seen, services={**seen.services, "fwmark 21": service})

    return change


def changed(**changes: Any) -> Callable[[Observed], Observed]:
    return lambda seen: dataclasses.replace(seen, **changes)


def ran(text: str) -> Callable[[Observed], Observed]:
    return changed(running=iptables.parse(text))


BOTH = (
    "*mangle\n-A PREROUTING -d 192.0.2.100 -p tcp -m multiport --dports 21,10000:20000 -j MARK --set-mark 21\nCOMMIT\n"
)
DRIFTS: list[tuple[str, Callable[[Observed], Observed], dict[str, tuple[str, str]]]] = [
    ("r1", changed(modules=frozenset()), {"pasv": ("unreachable", "ip_vs_ftp is not loaded"), "epsv": ("ok", "persistence")}),
    ("r2", changed(sysctls={}), {"pasv": ("timeout", "ip_forward=0"), "eprt": ("timeout", "ip_forward=0")}),
    ("r1", changed(services={}), {"epsv": ("refused", "no virtual service")}),
    ("r2", changed(services={}), {"epsv": ("refused", "no virtual service")}),
    ("r1", without("--dport 21 "), {"epsv": ("refused", "gives VIP:21 the mark 21")}),
    ("r2", without("--dport 21 "), {"epsv": ("timeout", "INPUT drops packets for VIP:21")}),
    ("r2", without("10000:20000 -j MARK"), {"epsv": ("timeout", "new data connections to VIP:10000"), "port": ("ok", "VIP:20")}),
    # Other rules of the router go on tracking connections; the helper carries on.
    ("r1", without("--sport 20 "), {"pasv": ("ok", "rewrites"), "port": ("ok", "VIP:20")}),
    ("r2", without("-j LBFTP-ftp-in"), {"pasv": ("timeout", "Filter chain INPUT")}),
    ("r2", without("-j LBFTP-ftp-fw"), {"pasv": ("ok", "rewrites"), "port": ("timeout", "port 20")}),
    ("r1", served(persistence=0), {"epsv": ("ok", "prepared")}),
    ("r1", served(destinations=()), {"epsv": ("refused", "no real server in rotation")}),
    ("r1", served(destinations=(Destination("10.0.50.11", 0, "DR", 1),)), {"port": ("timeout", "VIP:20"), "pasv": ("ok", "VIP")}),
    ("r1", changed(services={"tcp 192.0.2.100:21": Service("tcp 192.0.2.100:21", "rr", 0, (Destination("10.0.50.11", 21, "NAT", 1),))}),
     {"pasv": ("ok", "rewrites"), "port": ("ok", "VIP:20")}),
    # Nothing but marks: tracking is off.
    ("r1", ran(BOTH), {"pasv": ("unreachable", "connection tracking is not active"), "epsv": ("ok", ""), "port": ("ok", "VIP:20")}),
    ("r1", ran(BOTH + "*filter\n:INPUT DROP [0:0]\n-A INPUT -i pub0 -p tcp --dport 21 -j ACCEPT\nCOMMIT\n"),
     {"pasv": ("unreachable", ""), "epsv": ("timeout", "VIP:10000")}),
    ("r1", ran(BOTH + "*filter\n-A FORWARD -s 10.0.50.0/24 ! -o int0 -p tcp --sport 20 -j REJECT\nCOMMIT\n"),
     {"port": ("refused", "rejects the real server's connection from port 20"), "epsv": ("ok", "")}),
    ("r1", ran(BOTH + "*filter\n-A INPUT -s 203.0.113.0/24 -j DROP\n-A INPUT -m limit --limit 3/min -j DROP\nCOMMIT\n"), {"epsv": ("ok", "")}),
]  # fmt: skip


@pytest.mark.parametrize(("router", "drift", "expected"), DRIFTS)
def test_drift_has_its_reason(
    router: str, drift: Callable[[Observed], Observed], expected: dict[Any, tuple[str, str]]
) -> None:
    found = predict(state_from_observed(GUIDE, drift(pair("applied")[router])))
    for mode, (word, words) in expected.items():
        assert found[mode].outcome == word, found[mode].reason
        assert words in found[mode].reason


def test_old_kernels_help_pasv_and_port_only() -> None:
    """ip_vs_ftp learnt EPSV and EPRT in 4.18."""
    seen = served(persistence=0)(pair("applied")["r1"])
    old = dataclasses.replace(seen, facts=dataclasses.replace(seen.facts, kernel="3.10.0-1160.el7.x86_64"))
    assert outcomes(state_from_observed(GUIDE, old)) == {"pasv": "ok", "epsv": "refused", "port": "ok", "eprt": "ok"}


@pytest.mark.parametrize(("rules", "expected"), [
    ("-A PREROUTING -d 192.0.2.100 -p tcp --dport 21 -j MARK --set-mark 21", ["21"]),
    ("-A PREROUTING -d 192.0.2.0/24 -i pub0 -p tcp -m multiport --dports 20,21,1024:65535 -j MARK --set-mark 21", ["20-21", "1024-65535"]),
    ("-A PREROUTING -d 192.0.2.101 -p tcp --dport 21 -j MARK --set-mark 21", []),
    ("-A PREROUTING -d 192.0.2.100 -p udp --dport 21 -j MARK --set-mark 21", []),
    ("-A PREROUTING -d 192.0.2.100 -p tcp --dport 21 -j MARK --set-mark 22", []),
    ("-A PREROUTING -j ACCEPT\n-A PREROUTING -p tcp --dport 21 -j MARK --set-mark 21", []),
    ("-A PREROUTING -p tcp --dport 21 -j MARK --set-mark 21\n-A PREROUTING -j MARK --set-mark 7", []),
    ("-A PREROUTING -g X\n-A X -p tcp ! --dport 22 -j Y\n-A Y -j MARK --set-mark 21\n-A Y -j X", ["0-21", "23-65535"]),
    ("-A PREROUTING -p tcp --dport 1:9 -j RETURN\n-A PREROUTING -p tcp --dport 5:12 -j MARK --set-xmark 0x15/0xff", ["10-12"]),
    ("-A PREROUTING -i int0 -p tcp --dport 21 -j MARK --set-mark 21", []),
])  # fmt: skip
def test_marked_ports_are_what_the_rules_do(rules: str, expected: list[str]) -> None:
    seen = ran(f"*mangle\n{rules}\nCOMMIT\n")(pair("applied")["r1"])
    assert [str(p) for p in state_from_observed(GUIDE, seen).marked] == expected


R1 = pair("applied")["r1"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(
    ["*filter", "*mangle", "*nat", ":INPUT DROP [0:0]", "-A INPUT", "-A PREROUTING", "-A POSTROUTING", "-A X", "-j X", "-j MARK",
     "--set-mark 21", "--set-xmark x", "--mark z", "--dport 1:2", "--dport x", "-s 1.2.3.4", "-s ?", "! -i", "-j RETURN", "--ctstate", "\n",
     "-j DNAT", "--to-destination 10.0.50.11:21", "--to-destination [x", "-j REDIRECT", "--to-ports 2121"]
)).map(" ".join))  # fmt: skip
def test_any_rules_that_can_be_read_give_a_state(text: str) -> None:
    try:
        running = iptables.parse(text.replace("\n ", "\n"))
    except ObserveError:
        return
    seen = dataclasses.replace(R1, running=running)
    assert set(outcomes(state_from_observed(GUIDE, seen))) == set(MODES)


def test_a_strange_router_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        state_from_observed(GUIDE, dataclasses.replace(R1, router="r9"))


def redirected(mode: Any, *rules: str, **changes: Any) -> tuple[str, str]:
    """(outcome, what decides) through r1 with `rules` in nat PREROUTING."""
    seen = pair("applied")["r1"]
    lines = [f"-A PREROUTING {rule}" for rule in rules]
    added = iptables.parse("\n".join(["*nat", ":PREROUTING ACCEPT [0:0]", *lines, "COMMIT"]))
    nat = {**seen.running.tables["nat"], **added.tables["nat"]}
    seen = dataclasses.replace(seen, running=iptables.Ruleset({**seen.running.tables, "nat": nat}), **changes)
    found = predict_mode(state_from_observed(GUIDE, seen, Client(mode)), mode)
    return found.outcome, found.hops[-1].where


VIP = "-d 192.0.2.100/32 -p tcp -m tcp --dport"
TO = "-j DNAT --to-destination"
NAT_IN = "router, nat PREROUTING"


@pytest.mark.parametrize(("rules", "words"), [
    # As it was met on routers: a DNAT of the control port to a real server. EPSV's data land on it by chance.
    ([f"{VIP} 21 {TO} 10.0.50.11"], "unreachable unknown ok ok"),
    ([f"{VIP} 21 {TO} 10.0.50.11:21"], "unreachable unknown ok ok"),
    ([f"{VIP} 21 {TO} 10.0.50.11:2121"], "refused refused refused refused"),
    ([f"{VIP} 21 {TO} 10.0.50.11", f"{VIP} 10000:20000 {TO} 10.0.50.11"], "unreachable ok ok ok"),
    ([f"{VIP} 21 {TO} 10.0.50.11", f"{VIP} 10000:20000 {TO} 10.0.50.12"], "unreachable refused ok ok"),
    ([f"{VIP} 21 {TO} 198.51.100.7"], "timeout timeout timeout timeout"),
    ([f"{VIP} 21 -j REDIRECT --to-ports 2121"], "refused refused refused refused"),
    ([f"{VIP} 21 {TO} 192.0.2.2:2121"], "refused refused refused refused"),
    ([f"{VIP} 15000 {TO} 10.0.50.9:80"], "timeout timeout ok ok"),
    (["-m mark --mark 0x15 -j REDIRECT"], "refused refused refused refused"),
    # Others' packets, an earlier decision, a rule that is not understood.
    ([f"{VIP} 80 {TO} 10.0.50.9"], "ok ok ok ok"),
    (["-i int0 -p tcp -j REDIRECT"], "ok ok ok ok"),
    (["-m mark --mark 0x63 -j REDIRECT"], "ok ok ok ok"),
    ([f"{VIP} 21 -j ACCEPT", "-p tcp -m tcp --dport 21 -j REDIRECT"], "ok ok ok ok"),
    (["-m statistic --mode random --probability 0.5 -j REDIRECT"], "ok ok ok ok"),
])  # fmt: skip
def test_a_rule_before_ipvs_takes_ports_elsewhere(rules: list[str], words: str) -> None:
    assert " ".join(redirected(mode, *rules)[0] for mode in MODES) == words
    assert all(
        where == NAT_IN
        for outcome, where in (redirected(mode, *rules) for mode in MODES)
        if outcome[:2] in {"re", "ti", "un"} and outcome != "unknown"
    )


def test_a_redirected_session_needs_forwarding_as_any_other() -> None:
    sysctls = {**pair("applied")["r1"].sysctls, "net.ipv4.ip_forward": "0"}
    assert redirected("epsv", f"{VIP} 21 {TO} 10.0.50.11", sysctls=sysctls) == ("timeout", "router, routing")


@pytest.mark.parametrize(("text", "expected"), [
    ("10.0.50.11", ("10.0.50.11", 0)),
    ("10.0.50.11:2121", ("10.0.50.11", 2121)),
    ("10.0.50.11-10.0.50.12:21-30", ("10.0.50.11", 21)),
    ("fd00:50::11", ("fd00:50::11", 0)),
    ("[fd00:50::11]:21", ("fd00:50::11", 21)),
    ("[fd00:50::11-fd00:50::12]:21", ("fd00:50::11", 21)),
    ("2121", ("", 2121)),
    ("2121-2130", ("", 2121)),
    ("", ("", 0)),
    ("10.0.50.0/24", ("10.0.50.0/24", 0)),
    ("10.0.50.11/32", ("10.0.50.11", 0)),
])  # fmt: skip
def test_where_a_rule_sends_packets(text: str, expected: tuple[str, int]) -> None:
    assert destination(text) == expected
