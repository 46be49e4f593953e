"""The packets' way: every measured cell, and states of the same kind."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbftp.core.path import (
    MODES,
    MODES_IPV6,
    CaseError,
    State,
    predict,
    state_from_case,
)
from lbftp.core.path.case import KEYS
from tests.core.cases import DATA

TABLE = json.loads((DATA / "ftp-truth-table.json").read_text())
CASES = {case["id"]: case for case in TABLE["cases"]}
CELLS = [(name, mode, word) for name, case in CASES.items() for mode, word in case["result"].items()]

INPUT = "INPUT DROP, accepts "
FORWARD = "FORWARD DROP, accepts "
NO_HELPER = {"helper": False, "pasv_address": "VIP"}
PLAIN = {"service": "VIP:21 tcp, NAT"}
DIRECT = {"service": "fwmark 21, DR"}


def outcomes(state: State) -> dict[str, str]:
    return {str(mode): found.outcome for mode, found in predict(state).items()}


def words(case: dict[str, Any]) -> str:
    """The four outcomes in the order pasv, epsv, port, eprt, in short."""
    return " ".join(outcomes(state_from_case(case)).values())


@pytest.mark.parametrize(("name", "mode", "word"), CELLS)
def test_every_measured_cell(name: str, mode: str, word: str) -> None:
    found = outcomes(state_from_case(CASES[name]))
    assert found[mode] == word
    assert set(found) == set(MODES_IPV6 if "IPv6" in CASES[name]["service"] else MODES)


ALL_OK = "ok ok ok ok"
LOST = "timeout timeout timeout timeout"
REFUSED = "refused refused refused refused"


@pytest.mark.parametrize(("case", "expected"), [
    # All keys absent is the guide.
    ({}, ALL_OK),
    # The control connection itself.
    ({"mark_control": False}, REFUSED),
    ({"mark_control": False, "ip_forward": False}, REFUSED),
    ({"mark_control": False, "filter_policy": INPUT + "mark 21"}, LOST),
    ({"service": "none"}, REFUSED),
    ({"service": None, "filter_policy": INPUT + "ESTABLISHED"}, LOST),
    ({"real_servers": 0}, REFUSED),
    ({**PLAIN, "mark_control": False, "mark_passive": False}, ALL_OK),
    # What the helper prepared needs no mark, no persistence, and also not the right range.
    ({"mark_passive": False}, ALL_OK),
    ({"mark_passive": False, "persistence": False}, ALL_OK),
    ({"marked_range": [10000, 15000]}, ALL_OK),
    ({"server_range": [30000, 31000], "marked_range": [10000, 20000]}, ALL_OK),
    # Without the helper all of that counts.
    ({**NO_HELPER, "mark_passive": False}, "refused refused ok ok"),
    ({**NO_HELPER, "marked_range": [10000, 15000]}, "refused refused ok ok"),
    ({**NO_HELPER, "server_range": [12000, 13000], "marked_range": [10000, 20000]}, ALL_OK),
    ({**NO_HELPER, "persistence": False}, "refused refused ok ok"),
    ({**NO_HELPER, "persistence": False, "real_servers": 1}, ALL_OK),
    ({**NO_HELPER, "persistence": 0}, "refused refused ok ok"),
    ({**NO_HELPER, "masquerade_20": False}, "ok ok timeout timeout"),
    ({**NO_HELPER, "masquerade_20": False, "snat_20": True}, ALL_OK),
    # The helper and what it depends on.
    ({"masquerade_20": False}, "unreachable ok ok ok"),
    ({"masquerade_20": False, "vs_conntrack": True}, "unreachable ok ok ok"),
    ({"masquerade_20": False, "conntrack_active": True}, ALL_OK),
    ({"masquerade_20": False, "snat_20": True}, ALL_OK),
    ({"masquerade_20": False, "mark_passive": False, "persistence": False}, "unreachable ok ok ok"),
    ({"masquerade_20": False, "filter_policy": FORWARD + "ESTABLISHED,RELATED and sport 20"}, ALL_OK),
    ({"masquerade_20": False, "pasv_address": "VIP"}, "timeout ok ok ok"),
    ({"pasv_address": "198.51.100.7"}, "timeout ok ok ok"),
    ({"helper": False, "pasv_address": "198.51.100.7"}, "unreachable ok ok ok"),
    ({**PLAIN, "pasv_address": "VIP"}, "timeout ok ok ok"),
    # The helper is blind under TLS, in both directions.
    ({"tls": True, "pasv_address": "VIP"}, ALL_OK),
    ({"tls": True, "pasv_address": "VIP", "masquerade_20": False}, "ok ok timeout timeout"),
    ({"tls": True, "pasv_address": "VIP", "persistence": False}, "refused refused ok ok"),
    ({"tls": True, "pasv_address": "VIP", "mark_passive": False}, "refused refused ok ok"),
    # A service for VIP:21 itself: high ports are scheduled with persistence only.
    ({**PLAIN, **NO_HELPER, "persistence": True}, ALL_OK),
    ({**PLAIN, **NO_HELPER, "persistence": False}, "refused refused ok ok"),
    ({**PLAIN, "helper": False}, "unreachable ok ok ok"),
    ({**PLAIN, "masquerade_20": False}, ALL_OK),
    ({**PLAIN, "tls": True, "pasv_address": "VIP", "masquerade_20": False}, "ok ok timeout timeout"),
    # A port of the real server.
    ({"service": "fwmark 21, NAT, real server port 21", **NO_HELPER}, ALL_OK),
    ({"service": "fwmark 21, NAT, real server port 21", "persistence": False}, ALL_OK),
    ({"service": "fwmark 21, NAT, real server port 21", "persistence": False, **NO_HELPER}, "timeout timeout ok ok"),
    ({"service": "fwmark 21, NAT, real server port 2121"}, REFUSED),
    ({"service": "fwmark 21, NAT, real server port 2121", "persistence": False, "masquerade_20": False,
      "conntrack_active": True}, "ok ok timeout timeout"),
    # Other control ports need ports= of the module.
    ({"control_port": 2121}, "unreachable ok ok ok"),
    ({"control_port": 2121, "helper_ports": [21, 2121]}, ALL_OK),
    ({"control_port": 2121, "persistence": False}, "unreachable refused ok ok"),
    ({"service": "VIP:2121 tcp, NAT", "helper": False}, "unreachable refused ok ok"),
    # Taking the only state match away turns tracking off, and PASV breaks.
    ({"masquerade_20": False, "filter_policy": INPUT + "mark 21"}, "unreachable ok timeout timeout"),
    # Forwarding.
    ({**PLAIN, "ip_forward": False}, LOST),
    ({**DIRECT, "ip_forward": False}, "ok ok timeout timeout"),
    # Direct routing and tunnelling: no helper; the server's own address is the VIP; answers to VIP:20 come to IPVS.
    (DIRECT, "ok ok timeout timeout"),
    ({**DIRECT, "mark_20": True}, ALL_OK),
    ({**DIRECT, "mark_20": True, "persistence": False}, "refused refused timeout timeout"),
    ({**DIRECT, "mark_passive": False}, "refused refused timeout timeout"),
    ({**DIRECT, "pasv_address": "198.51.100.7"}, "unreachable ok timeout timeout"),
    ({**DIRECT, "tls": True, "mark_20": True}, ALL_OK),
    ({"service": "fwmark 21, TUN, real server port 21", "persistence": True}, "ok ok timeout timeout"),
    ({"service": "VIP:21 tcp, DR"}, ALL_OK),
    ({**DIRECT, "filter_policy": "FORWARD DROP, accepts nothing"}, "ok ok timeout timeout"),
    # INPUT comes before IPVS.
    ({"filter_policy": INPUT + "mark 21"}, "ok ok timeout timeout"),
    ({"filter_policy": INPUT + "mark 0x15 and ESTABLISHED,RELATED"}, ALL_OK),
    ({"filter_policy": INPUT + "mark 21, dport 20"}, ALL_OK),
    ({"filter_policy": INPUT + "mark 21, dport 20 ESTABLISHED"}, ALL_OK),
    ({"filter_policy": INPUT + "mark 22 and ESTABLISHED"}, LOST),
    ({"filter_policy": INPUT + "mark 21 and ESTABLISHED,RELATED", "mark_passive": False}, "timeout timeout ok ok"),
    ({"filter_policy": INPUT + "ESTABLISHED,RELATED and dport 21"}, "timeout timeout ok ok"),
    ({"filter_policy": INPUT + "dport 21 and the passive range"}, "ok ok timeout timeout"),
    ({"filter_policy": INPUT + "dport 20:21, 10000:15000"}, "timeout timeout ok ok"),
    ({"filter_policy": INPUT + "mark 21", **NO_HELPER}, ALL_OK),
    ({"filter_policy": INPUT + "mark 21", **PLAIN}, "ok ok timeout timeout"),
    ({"filter_policy": INPUT + "mark 21", **PLAIN, "mark_control": False}, LOST),
    ({"filter_policy": "INPUT REJECT, accepts ESTABLISHED"}, REFUSED),
    ({"filter_policy": INPUT + "everything"}, ALL_OK),
    # FORWARD has the answers.
    ({"filter_policy": "FORWARD DROP"}, LOST),
    ({"filter_policy": FORWARD + "ESTABLISHED,RELATED and sport 20"}, ALL_OK),
    ({"filter_policy": FORWARD + "ESTABLISHED,RELATED", "tls": True}, "unreachable timeout timeout timeout"),
    ({"filter_policy": FORWARD + "ESTABLISHED,RELATED, sport 20", **NO_HELPER}, LOST),
    ({"filter_policy": FORWARD + "ESTABLISHED,RELATED, sport 20", **NO_HELPER, "vs_conntrack": True}, ALL_OK),
    ({"filter_policy": FORWARD + "sport 20:21, 10000:20000", **NO_HELPER}, "ok ok timeout timeout"),
    ({"filter_policy": FORWARD + "sport 20:21, 10000:20000"}, ALL_OK),
    ({"filter_policy": FORWARD + "sport 20:21, 10000:20000 and dport 20", **NO_HELPER}, ALL_OK),
    ({"filter_policy": [INPUT + "mark 21 and ESTABLISHED,RELATED", FORWARD + "ESTABLISHED, sport 20"]}, ALL_OK),
    ({"filter_policy": INPUT + "mark 21; " + FORWARD + "ESTABLISHED,RELATED"}, "ok ok timeout timeout"),
    ({"filter_policy": "OUTPUT DROP, accepts ESTABLISHED"}, LOST),
])  # fmt: skip
def test_states_that_nobody_measured(case: dict[str, Any], expected: str) -> None:
    assert words(case) == expected


@pytest.mark.parametrize(("case", "expected"), [
    ({"service": "fwmark 21 IPv6, NAT, real server port 0", "helper": False, "masquerade_20": False}, "ok timeout"),
    ({"ip_version": 6, "helper": False, "persistence": False}, "refused ok"),
    ({"ip_version": 6, "ip_forward": False}, "timeout timeout"),
    ({"service": "VIP:21 tcp, NAT, IPv6"}, "ok ok"),
])  # fmt: skip
def test_ipv6_has_two_modes(case: dict[str, Any], expected: str) -> None:
    assert words(case) == expected


@pytest.mark.parametrize(("case", "mode", "words"), [
    ({"helper": False}, "pasv", "ip_vs_ftp is not loaded"),
    ({"masquerade_20": False}, "pasv", "connection tracking is not active"),
    ({"tls": True}, "pasv", "under TLS ip_vs_ftp cannot read"),
    ({"pasv_address": "VIP"}, "pasv", "took the advertised address VIP (pasv_address)"),
    ({"ip_forward": False}, "port", "net.ipv4.ip_forward=0"),
    ({"ip_forward": False, "ip_version": 6}, "eprt", "net.ipv6.conf.all.forwarding=0"),
    ({"mark_control": False}, "eprt", "No rule in mangle PREROUTING gives VIP:21 the mark 21"),
    ({"helper": False, "persistence": False}, "epsv", "Without persistence"),
    ({"helper": False, "marked_range": [10000, 15000]}, "epsv", "gives VIP:15001 the mark 21"),
    ({"helper": False}, "port", "router's own public address"),
    ({"helper": False, "masquerade_20": False}, "port", "no MASQUERADE or SNAT rule in nat POSTROUTING"),
    ({"filter_policy": "INPUT DROP"}, "epsv", "Filter chain INPUT drops packets for VIP:21: policy DROP"),
    ({"filter_policy": INPUT + "mark 21"}, "port", "INPUT drops the client's answers to VIP:20"),
    ({"filter_policy": FORWARD + "ESTABLISHED"}, "port", "neither ESTABLISHED nor RELATED"),
    ({"filter_policy": FORWARD + "ESTABLISHED", "helper": False}, "epsv", "net.ipv4.vs.conntrack=1"),
    ({"control_port": 2121}, "pasv", "without control port 2121 (ports=)"),
    (DIRECT, "port", "answers to VIP:20 do not reach the real server"),
    ({}, "pasv", "ip_vs_ftp rewrites the 227 reply"),
    ({}, "port", "leaves as VIP:20"),
])  # fmt: skip
def test_the_reason_names_what_decides(case: dict[str, Any], mode: Any, words: str) -> None:
    found = predict(state_from_case(case))[mode]
    assert words in found.reason
    assert all(hop.outcome == "ok" for hop in found.hops[:-1])
    assert found.hops[-1].outcome == found.outcome
    assert [h["ok"] for h in found.to_json()["hops"]] == [h.outcome == "ok" for h in found.hops]


FLAGS = ("persistence", "helper", "mark_control", "mark_passive", "masquerade_20", "conntrack_active", "tls",
         "ip_forward", "vs_conntrack")  # fmt: skip
SERVICES = ("fwmark 21, NAT, real server port 0", "fwmark 21, NAT, real server port 21", "VIP:21 tcp, NAT",
            "fwmark 21, DR", "fwmark 21 IPv6, NAT")  # fmt: skip
POLICIES = (None, "INPUT DROP", INPUT + "mark 21", INPUT + "ESTABLISHED,RELATED and dport 21",
            FORWARD + "ESTABLISHED,RELATED", FORWARD + "ESTABLISHED,RELATED and sport 20")  # fmt: skip
STATES = st.fixed_dictionaries(
    {"service": st.sampled_from(SERVICES), "filter_policy": st.sampled_from(POLICIES),
     "pasv_address": st.sampled_from([None, "VIP", "198.51.100.7"]), "real_servers": st.integers(0, 3),
     **{flag: st.booleans() for flag in FLAGS}}
)  # fmt: skip


def good(case: dict[str, Any]) -> set[str]:
    return {mode for mode, word in outcomes(state_from_case(case)).items() if word == "ok"}


@settings(max_examples=20, deadline=None)
@given(STATES)
def test_what_helps_never_harms(case: dict[str, Any]) -> None:
    """Marks, forwarding, persistence, masquerading, tracking and an open filter: nothing that worked stops working.

    A filter that matches states may be all that turns tracking on, so it goes only where something else does.
    """
    for better in ({"ip_forward": True}, {"mark_control": True}, {"mark_passive": True}, {"masquerade_20": True},
                   {"conntrack_active": True}, {"vs_conntrack": True}, {"filter_policy": None, "conntrack_active": True},
                   {"persistence": True}):  # fmt: skip
        lost = good(case) - good({**case, **better})
        assert not lost, (better, lost)


@settings(max_examples=40, deadline=None)
@given(STATES)
def test_what_holds_for_every_state(case: dict[str, Any]) -> None:
    found = outcomes(state_from_case(case))
    works = {mode for mode, word in found.items() if word == "ok"}
    # Passive: whoever can use PASV can use EPSV. PORT and EPRT differ in words only.
    assert "pasv" not in works or "epsv" in works
    assert found.get("port", found["eprt"]) == found["eprt"]
    if not case["mark_control"] and case["service"].startswith("fwmark"):
        assert not works
    if not case["helper"]:
        assert found == outcomes(state_from_case({**case, "tls": not case["tls"]}))


@pytest.mark.parametrize(("case", "key", "words"), [
    ([], "case", "one JSON object"),
    ({"helpr": True}, "helpr", "known keys: service, persistence, helper,"),
    ({"helper": 1}, "helper", "true or false"),
    ({"service": 5}, "service", "is not a text"),
    ({"service": "fwmark 0, NAT"}, "service", "not understood"),
    ({"service": "fwmark 21, FOO"}, "service", "'foo'"),
    ({"service": "VIP:99999 tcp, NAT"}, "service", "not a port"),
    ({"service": "fwmark 21 IPv6, NAT", "ip_version": 4}, "ip_version", "different IP versions"),
    ({"ip_version": 5}, "ip_version", "4 or 6"),
    ({"persistence": "yes"}, "persistence", "number of seconds"),
    ({"pasv_address": 5}, "pasv_address", "'VIP'"),
    ({"pasv_address": "a\nb"}, "pasv_address", "'VIP'"),
    ({"filter_policy": "drop it"}, "filter_policy", "names no chain and policy"),
    ({"filter_policy": "INPUT DROP, accepts magic"}, "filter_policy", "'magic'"),
    ({"filter_policy": "INPUT DROP, accepts dport 70000"}, "filter_policy", "not a port"),
    ({"filter_policy": 7}, "filter_policy", "is not a text"),
    ({"marked_range": [5, 1]}, "marked_range", "pair of ports"),
    ({"server_range": "x"}, "server_range", "pair of ports"),
    ({"real_servers": -1}, "real_servers", "whole number"),
    ({"helper_ports": [0]}, "helper_ports", "list of ports"),
])  # fmt: skip
def test_bad_cases_name_the_key_and_what_is_accepted(case: Any, key: str, words: str) -> None:
    with pytest.raises(CaseError) as caught:
        state_from_case(case)
    assert caught.value.key == key
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["FWMARK 21, nat, Real Server Port 0", "mark 0x15,masquerading", "fwmark  21 , NAT"])
def test_services_are_read_tolerantly(text: str) -> None:
    assert state_from_case({"service": text}) == State()


@pytest.mark.parametrize("text", [
    "FORWARD DROP, accepts ESTABLISHED,RELATED and sport 20",
    "policy FORWARD DROP; accepted: -m conntrack --ctstate established,related; -s 10.0.50.0/24 -p tcp --sport 20",
    "forward policy drop, accepts ESTABLISHED/RELATED, source port 20 from the internal network.",
])  # fmt: skip
def test_policies_are_read_tolerantly(text: str) -> None:
    (found,) = state_from_case({"filter_policy": text}).filters
    assert (found.chain, found.policy) == ("FORWARD", "DROP")
    assert [[c.what for c in line.conditions] for line in found.lines] == [["tracked"], ["syn", "sport"]]


WORDS = st.sampled_from(["INPUT", "FORWARD", "DROP", "REJECT", "accepts", "mark", "21", "dport", "sport", ",", ";", "and", "0x15",
                         "10000:20000", "ESTABLISHED,RELATED", "fwmark 21", "NAT", "VIP:21 tcp", "real server port", "IPv6", "DR"])  # fmt: skip
TEXTS = st.lists(WORDS | st.text(max_size=4), max_size=8).map(" ".join)
JSON = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.lists(st.integers() | TEXTS, max_size=3)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), JSON, max_size=4) | JSON)
def test_cases_raise_nothing_but_their_own_error(case: Any) -> None:
    try:
        state = state_from_case(case)
    except CaseError as error:
        str(error).encode()
        return
    assert set(outcomes(state)) == set(state.modes)


@settings(max_examples=30, deadline=None)
@given(TEXTS, TEXTS)
def test_texts_raise_nothing_but_their_own_error(service: str, policy: str) -> None:
    for case in ({"service": service}, {"filter_policy": "INPUT DROP, accepts " + policy}, {"filter_policy": policy}):
        try:
            predict(state_from_case(case))
        except CaseError:
            continue
