"""The way through a router whose packet filter is nftables. data/nft-path.json is what nft 1.0.6 printed."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbftp.core.checks import others
from lbftp.core.observe import iptables, nftables
from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.observed import Observed
from lbftp.core.path import Client, Prediction, explain, predict_mode, state_from_observed
from tests.core.cases import DATA, GUIDE, pair

PRINTED = (DATA / "nft-path.json").read_text()


def router(text: str = PRINTED) -> Observed:
    """The recorded router with nftables in place of iptables."""
    return dataclasses.replace(pair("applied")["r1"], running=iptables.Ruleset(), nft=nftables.parse(text))


NATIVE = router()


def without(words: str) -> str:
    """The rules without those whose JSON holds `words`."""
    objects = json.loads(PRINTED)["nftables"]
    return json.dumps({"nftables": [o for o in objects if "rule" not in o or words not in json.dumps(o)]})


def with_rule(chain: str, *expressions: dict[str, Any]) -> str:
    objects = json.loads(PRINTED)["nftables"]
    first = next(n for n, o in enumerate(objects) if o.get("rule", {}).get("chain") == chain)
    made = {"rule": {**objects[first]["rule"], "expr": list(expressions)}}
    return json.dumps({"nftables": [*objects[:first], made, *objects[first:]]})


def explained(mode: Any, text: str = PRINTED) -> Prediction:
    client = Client(mode)
    return predict_mode(state_from_observed(GUIDE, router(text), client), client.mode)


def bys(found: Prediction) -> list[str]:
    return [hop.by for hop in found.hops]


@pytest.mark.parametrize("mode", ["pasv", "epsv", "port", "eprt"])
def test_own_tables_carry_every_mode(mode: str) -> None:
    found = explained(mode)
    assert found.outcome == "ok", found.reason
    assert "ip daddr 192.0.2.100 tcp dport { 21, 10000-20000 } meta mark set 0x15" in bys(found)
    assert "ct state established,related accept" in bys(found)
    assert "meta mark 21 accept" in bys(found)


SADDR = {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@bad"}}
FTP = {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 21}}
WEB = {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 80}}
LIMIT = {"limit": {"rate": 3, "per": "minute"}}


@pytest.mark.parametrize(("text", "mode", "expected"), [
    (without('"mangle"'), "epsv", ("timeout", "nftables inet site in drops packets for VIP:21: policy DROP")),
    (without('"jump"'), "epsv", ("timeout", "nftables inet site in drops packets for VIP:21")),
    (without("masquerade"), "port", ("ok", "VIP:20")),
    (without('"sport"'), "port", ("timeout", "inet site fw drops the real server's connection from port 20")),
    (without('"state"'), "pasv", ("timeout", "inet site fw drops answers")),
    # What is not understood is unknown, unless it can only be about others.
    (with_rule("in", SADDR, {"drop": None}), "epsv", ("unknown", "ip saddr @bad drop")),
    (with_rule("in", SADDR, WEB, {"drop": None}), "epsv", ("ok", "")),
    (with_rule("in", FTP, LIMIT, {"accept": None}), "epsv", ("unknown", "is not understood")),
    (with_rule("in", SADDR, {"log": None}), "epsv", ("ok", "")),
    (with_rule("prerouting", FTP, {"drop": None}), "epsv", ("timeout", "")),
    (with_rule("in", {"vmap": 5}), "epsv", ("unknown", "")),
    (with_rule("in", FTP, {"reject": {"type": "tcp reset"}}), "epsv", ("refused", "tcp dport 21 reject")),
])  # fmt: skip
def test_what_decides(text: str, mode: str, expected: tuple[str, str]) -> None:
    found = explained(mode, text)
    assert (found.outcome, expected[1] in found.reason) == (expected[0], True), found.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["drop", "@bad", "tcp", "state", "10.0.0.0/8", "meta"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["set", "range", "prefix", "addr"]), inner)
    ),
    max_leaves=4,
)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 400), JSON)
def test_any_rules_that_can_be_read_give_a_prediction(place: int, value: Any) -> None:
    """One value somewhere in the rules is another one."""
    count = 0

    def changed(node: Any) -> Any:
        nonlocal count
        count += 1
        if count == place:
            return value
        if isinstance(node, dict):
            return {key: changed(inner) for key, inner in node.items()}
        return [changed(inner) for inner in node] if isinstance(node, list) else node

    try:
        read = nftables.parse(json.dumps(changed(json.loads(PRINTED))))
    except ObserveError:
        return
    explain(GUIDE, None, dataclasses.replace(NATIVE, nft=read))


def test_tables_of_iptables_are_not_read_twice() -> None:
    text = PRINTED.replace('"family": "inet"', '"family": "ip"').replace('"site"', '"filter"')
    seen = dataclasses.replace(router(text), running=pair("applied")["r1"].running)
    assert not [f for f in state_from_observed(GUIDE, seen).filters if "filter" in f.own]


def with_nat(*expressions: dict[str, Any]) -> str:
    """The rules with one more table that has a nat chain before routing."""
    objects = json.loads(PRINTED)["nftables"]
    table = {"family": "ip", "name": "web", "handle": 90}
    base = {"family": "ip", "table": "web", "name": "pre", "handle": 91, "type": "nat", "hook": "prerouting",
            "prio": -100, "policy": "accept"}  # fmt: skip
    rule = {"family": "ip", "table": "web", "chain": "pre", "handle": 92, "expr": list(expressions)}
    return json.dumps({"nftables": [*objects, {"table": table}, {"chain": base}, {"rule": rule}]})


@pytest.mark.parametrize(("statement", "mode", "expected"), [
    # The filter there lets nothing new through to real servers.
    ({"dnat": {"addr": "10.0.50.11", "port": 21}}, "pasv", ("timeout", "tcp dport 21 dnat to 10.0.50.11:21")),
    ({"dnat": {"addr": "10.0.50.11"}}, "port", ("timeout", "site fw drops packets for VIP:21, which go to 10.0.50.11")),
    ({"dnat": {"addr": "198.51.100.7"}}, "epsv", ("timeout", "tcp dport 21 dnat to 198.51.100.7")),
    ({"redirect": {"port": 2121}}, "epsv", ("refused", "tcp dport 21 redirect to :2121")),
    ({"redirect": None}, "epsv", ("refused", "tcp dport 21 redirect")),
    ({"accept": None}, "epsv", ("ok", "")),
])  # fmt: skip
def test_a_nat_chain_before_routing_takes_the_control_port(
    statement: dict[str, Any], mode: str, expected: tuple[str, str]
) -> None:
    found = explained(mode, with_nat(FTP, statement))
    assert (found.outcome, expected[1] in found.reason) == (expected[0], True), found.reason
    if expected[0] in {"timeout", "refused", "unreachable"}:
        assert found.hops[-1].where == "router, nftables ip web pre"


def test_a_nat_chain_of_nftables_is_found_by_the_state_checks() -> None:
    """The router's own rules are iptables', and another program has a table beside."""
    applied = pair("applied")
    beside = dataclasses.replace(applied["r1"], nft=nftables.parse(with_nat(FTP, {"redirect": {"port": 2121}})))
    (one,) = [f for f in others.check(GUIDE, beside) if f.code == "rule-redirects"]
    assert (one.found, "nftables ip web pre" in one.what) == ("tcp dport 21 redirect to :2121", True)
    web = dataclasses.replace(applied["r1"], nft=nftables.parse(with_nat(WEB, {"redirect": {"port": 2121}})))
    assert not [f for f in others.check(GUIDE, web) if f.code == "rule-redirects"]
