"""Our table of nftables: what is rendered, how nft's JSON is read, and what others' filters would lose."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.nftables import NftRuleset, parse, rule
from lbftp.core.render import nft_words, nftables
from lbftp.core.spec import ClusterSpec, SpecError
from tests.core.cases import DATA, GUIDE, R1, golden, guide
from tests.core.filter_cases import CASES
from tests.core.strategies import specs
from tests.kernel.cases import tries

LISTED = (DATA / "filter" / "nft-1.0.6.json").read_text()


@pytest.mark.parametrize("name", CASES)
def test_files_equal_their_golden_files(name: str) -> None:
    own = nftables.table(CASES[name], CASES[name].routers[0])
    golden(f"filter-{name}.nft", nftables.file_text(own))


ADDRESS = r"[0-9a-f.:]+(?:/\d{1,3})?"
PORTS = r"\d{1,5}(?:-\d{1,5})?"
LINE = re.compile(
    r"#.*|(?:add|delete) table inet lbftp-[a-z][a-z0-9-]*|table inet lbftp-[a-z][a-z0-9-]* \{||\}|"
    r"\tchain (?:pre|post)routing \{|\t\}|"
    r"\t\ttype (?:filter hook prerouting priority -150|nat hook postrouting priority 100); policy accept;|"
    rf"\t\tip6? [sd]addr {ADDRESS} tcp [sd]port {PORTS}"
    rf" (?:meta mark set 0x[0-9a-f]{{8}}|masquerade|snat ip6? to {ADDRESS})"
    r'(?: comment "lbftp owns this table\. Cluster: [a-z][a-z0-9-]*")?'
)


@given(spec=specs())
@tries(40, 20_000)
def test_no_value_adds_a_line_or_a_word(spec: ClusterSpec) -> None:
    own = nftables.table(spec, R1)
    text = nftables.file_text(own)
    lines = text.removesuffix("\n").split("\n")
    for line in lines:
        assert LINE.fullmatch(line), line
    assert len(lines) == 6 + sum(4 + len(c.rules) for c in own.chains) - 1
    assert sum(len(c.rules) for c in own.chains) == sum(line.startswith("\t\tip") for line in lines)
    assert nftables.path(own) == f"/etc/nftables.d/lbftp-{spec.name}.nft"
    assert nftables.file_text(nftables.table(spec, R1)) == text


def listed(chain: str, *expressions: Any, **more: Any) -> str:
    """What nft would print of one rule in our table's chain."""
    where = {"family": "inet", "table": "lbftp-ftp"}
    rules = [{"rule": {**where, "chain": chain, "handle": 4, "expr": list(expressions), **more}}]
    head = {
        "chain": {**where, "name": chain, "handle": 1, "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}
    }
    return json.dumps(
        {"nftables": [{"metainfo": {"version": "1.1.3"}}, {"table": {**where, "name": "lbftp-ftp"}}, head, *rules]}
    )


VIP = {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "daddr"}}, "right": "192.0.2.100"}}


def dport(right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": right}}


def meta(key: str, right: Any) -> dict[str, Any]:
    return {"match": {"op": "==", "left": {"meta": {"key": key}}, "right": right}}


@pytest.mark.parametrize("spelled", [
    [VIP, dport("ftp"), {"accept": None}],
    [VIP, dport(21, "in"), {"accept": None}],
    [meta("nfproto", "ipv4"), VIP, meta("l4proto", "tcp"), dport(21), {"accept": None}],
    [VIP, dport(21), {"counter": {"packets": 7, "bytes": 9}}, {"accept": None}],
    [VIP, dport(21), {"counter": None}, {"accept": {}}],
])  # fmt: skip
def test_versions_spell_one_rule_in_several_ways(spelled: list[Any]) -> None:
    assert parse(listed("x", *spelled)) == parse(listed("x", VIP, dport(21), {"accept": None}, handle=99))


@pytest.mark.parametrize("other", [
    [VIP, dport(22), {"accept": None}],
    [VIP, dport(21, "!="), {"accept": None}],
    [VIP, {"accept": None}],
    [VIP, dport(21), {"counter": "named"}, {"accept": None}],
    [meta("nfproto", "ipv6"), VIP, dport(21), {"accept": None}],
    [VIP, dport(21), {"drop": None}],
])  # fmt: skip
def test_rules_that_differ_stay_different(other: list[Any]) -> None:
    assert parse(listed("x", *other)) != parse(listed("x", VIP, dport(21), {"accept": None}))


def test_sets_are_equal_in_any_order() -> None:
    one, two = {"set": [21, {"range": [1, 2]}]}, {"set": [{"elem": {"val": {"range": [1, 2]}, "expires": 3}}, 21]}
    assert rule(dport(one)) == rule(dport(two))
    assert rule({"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["related", "established"]}}) == rule(
        {"match": {"op": "==", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}
    )


def test_a_real_listing_is_understood() -> None:
    found = parse(LISTED)
    assert set(found.tables) == {(f, t) for f in ("ip", "ip6") for t in ("filter", "mangle")} | {("inet", "t")}
    chain = found.tables["ip", "filter"].chains["INPUT"]
    assert (chain.type, chain.hook, chain.priority, chain.policy) == ("filter", "input", 0, "drop")
    marks = [r.sets_mark for _, c, r in found.rules() if c.name == "a" and r.sets_mark]
    assert marks == [0xFFFFFFFF]


def test_what_is_rendered_is_read_back() -> None:
    own = nftables.table(CASES["snat"], R1)
    ruleset = NftRuleset({("inet", own.name): own.as_table})
    assert nftables.in_step(own, ruleset)
    assert nftables.restore(ruleset, own.name) == nftables.load(own)
    expected, found = nftables.differences(own, ruleset)
    assert expected == found
    assert nftables.differences(own, None) == (expected, "")
    assert nftables.restore(None, own.name) == nftables.unload(own.name)


@pytest.mark.parametrize("name", ["x; flush ruleset", "lbftp-a b", "lbftp-", "lbftp-A", "../x"])
def test_only_our_own_tables_can_be_named(name: str) -> None:
    for change in (
        nftables.unload,
        lambda n: nftables.restore(None, n),
        lambda n: nftables.path(nftables.OwnTable(n, ())),
    ):
        with pytest.raises(SpecError):
            change(name)


@pytest.mark.parametrize("expressions", [
    [meta("iifname", 'a" accept; flush ruleset; "')],
    [VIP, dport("21; flush ruleset")],
    [{"snat": {"addr": "1.2.3.4; flush ruleset"}}],
    [{"xt": None}],
    [{"match": {"op": "==", "left": {"payload": {"protocol": "ip; x", "field": "daddr"}}, "right": "1.2.3.4"}}],
])  # fmt: skip
def test_what_others_put_into_our_table_is_shown_and_not_written(expressions: list[Any]) -> None:
    found = parse(listed("x", *expressions, {"accept": None}))
    text = nftables.restore(found, "lbftp-ftp")
    assert "flush" not in text
    assert "accept;" in text
    assert (
        "\t\t" + nft_words.shown(rule(*expressions, {"accept": None}))
        in nftables.differences(nftables.table(GUIDE, R1), found)[1]
    )


@pytest.mark.parametrize(("text", "ours"), [
    ("", False),
    ("#!/usr/sbin/nft -f\nflush ruleset\ntable inet filter {\n\tchain input { type filter hook input priority 0; }\n}\n", False),
    ('include "/etc/nftables.d/lbftp-*.nft"\n', True),
    ('# include "/etc/nftables.d/lbftp-*.nft"\n', False),
    ("include '/etc/nftables.d/*.nft';", True),
    ('include "nftables.d/*"\nflush table inet x\n', True),
    ('include "./nftables.d/*.nft" # ours too\n', True),
    ('include "/etc/nftables.d/*.nft"\nflush ruleset\n', False),
    ('include "/etc/nftables/*.nft"\n', False),
    ('table inet x {\n\tinclude "/etc/nftables.d/*.nft"\n}\n', False),
])  # fmt: skip
def test_our_include_line_is_recognised(text: str, ours: bool) -> None:
    assert nftables.includes_ours(text) is ours
    changed = nftables.main_text(text)
    assert nftables.includes_ours(changed)
    assert nftables.main_text(changed) == changed
    assert changed.startswith(text)


def filters(input_: list[Any], policy: str = "drop", **more: Any) -> NftRuleset:
    where = {"family": more.pop("family", "inet"), "table": "filter"}
    base = {"chain": {**where, "name": "input", "type": "filter", "hook": "input", "prio": 0, "policy": policy}}
    other = [{"chain": {**where, "name": "more"}}]
    other += [{"rule": {**where, "chain": "more", "expr": e}} for e in more.pop("more", [])]
    rules = [{"rule": {**where, "chain": "input", "expr": e}} for e in input_]
    table = {"table": {"family": where["family"], "name": "filter", **more}}
    return parse(json.dumps({"nftables": [table, base, *other, *rules]}))


MARKED = [meta("mark", 21), {"accept": None}]
STATE = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}
VRRP = [
    {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "protocol"}}, "right": "vrrp"}},
    {"accept": None},
]
ENOUGH = [MARKED, [STATE, {"accept": None}], VRRP]
LOST_MARK, LOST_VRRP = "meta mark 0x15 accept", 'ip saddr 192.0.2.3 iifname "pub0" meta l4proto 112 accept'


@pytest.mark.parametrize(("rules", "lost"), [
    (ENOUGH, []),
    (ENOUGH[1:], [LOST_MARK]),
    ([*ENOUGH[1:], [dport({"set": [21, {"range": [10000, 20000]}]}), {"accept": None}]], []),
    ([*ENOUGH[1:], [dport(21), {"accept": None}], [dport({"range": [9000, 21000]}), {"accept": None}]], []),
    ([*ENOUGH[1:], [dport({"range": [10000, 19999]}), {"accept": None}]], [LOST_MARK]),
    ([*ENOUGH[1:], [VIP, {"accept": None}]], []),
    ([*ENOUGH[1:], [VIP, {"limit": {"rate": 3, "per": "minute"}}, {"accept": None}]], [LOST_MARK]),
    ([*ENOUGH[1:], [{"match": {"op": "==", "left": {"&": [{"meta": {"key": "mark"}}, 255]}, "right": 21}}, {"accept": None}]], [LOST_MARK]),
    ([[VIP, {"drop": None}], *ENOUGH], [LOST_MARK, "ip daddr 192.0.2.100 tcp dport 20 ct state established accept"]),
    ([[VIP, {"return": None}], *ENOUGH], [LOST_MARK, "ip daddr 192.0.2.100 tcp dport 20 ct state established accept"]),
    ([[{"match": {**VIP["match"], "op": "!="}}, {"drop": None}], *ENOUGH], []),
    ([MARKED, [{"jump": {"target": "more"}}], VRRP], []),
    ([MARKED, [meta("iifname", "eth9"), {"jump": {"target": "more"}}], VRRP, [STATE, {"accept": None}]], []),
    ([MARKED, [{"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["established", {"accept": None}]]}}}], VRRP], []),
])  # fmt: skip
def test_what_others_filters_lose(rules: list[Any], lost: list[str]) -> None:
    told = nftables.foreign_drops(GUIDE, R1, filters(rules, more=[[STATE, {"accept": None}]]))
    assert told == ([("chain input of table inet filter", lost)] if lost else [])


def test_filters_that_lose_nothing_are_no_matter() -> None:
    assert nftables.foreign_drops(GUIDE, R1, filters([], policy="accept")) == []
    assert nftables.foreign_drops(GUIDE, R1, filters([], family="ip6")) == []
    assert nftables.foreign_drops(GUIDE, R1, filters([], flags=["dormant"])) == []
    assert nftables.foreign_drops(GUIDE, R1, filters([], flags=["owner"]))
    assert nftables.foreign_drops(GUIDE, R1, filters([[{"drop": None}]], policy="accept"))
    assert nftables.foreign_drops(guide(mode="advertise"), R1, NftRuleset()) == []


def test_firewalld_would_lose_it_whatever_others_accept() -> None:
    """The rules of firewalld 1.3.3 after a reload: our iptables rules were gone, our table was left, and its own chains
    end in a rejection that neither reaches. In advertise mode it drops answers as invalid before any zone is asked."""
    found = parse((DATA / "filter" / "firewalld-1.3.3.json").read_text())
    own = nftables.table(GUIDE, R1)
    assert nftables.in_step(own, found)
    told = dict(nftables.foreign_drops(CASES["tls"], R1, found))
    assert told["chain filter_INPUT of table inet firewalld"][:2] == [LOST_MARK, LOST_VRRP]
    answers = "ip saddr 10.0.50.0/24 tcp sport 10000-20000 accept"
    assert answers in told["chain filter_FORWARD of table inet firewalld"]
    assert answers not in dict(nftables.foreign_drops(GUIDE, R1, found))["chain filter_FORWARD of table inet firewalld"]


KEYS = st.sampled_from([
    "match", "set", "left", "op", "right", "payload", "meta", "elem", "val", "key", "jump", "target", "vmap", "data", "prefix", "addr",
    "len", "range", "mangle", "value", "snat", "&", "nftables", "table", "chain", "rule", "expr", "family", "name",
])  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 70000)
    | st.sampled_from(["accept", "ip", "mark", "", "::1.2.3.4", "a/b"])
)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)


JSON = st.recursive(SCALARS | st.text(max_size=4), _nested, max_leaves=8)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(p for key, found in inner for p in places(found, (*path, key)))]


REAL = json.loads(LISTED)
PLACES = [path for path in places(REAL) if path]


@given(place=st.sampled_from(PLACES), value=JSON)
@tries(150, 10_000)
def test_a_listing_with_anything_in_it_raises_only_its_own_error(place: tuple[Any, ...], value: Any) -> None:
    changed = copy.deepcopy(REAL)
    where = changed
    for key in place[:-1]:
        where = where[key]
    where[place[-1]] = value
    try:
        found = parse(json.dumps(changed))
    except ObserveError:
        return
    for chain, lines in nftables.foreign_drops(CASES["dual"], CASES["dual"].routers[0], found):
        assert chain
        assert lines
    for table in found.tables.values():
        for _, c, r in NftRuleset({("", ""): table}).rules():
            assert nft_words.shown(r), c
            assert r.sets_mark is None or r.sets_mark > -3


@given(text=st.text() | JSON.map(json.dumps) | JSON.map(lambda v: json.dumps({"nftables": v})))
@tries(300, 50_000)
def test_any_text_raises_only_its_own_error(text: str) -> None:
    for given_text in (text, LISTED[: len(text) * 40]):
        try:
            parse(given_text)
        except ObserveError:
            continue


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"nftables": 3}', "[" * 100_000, '{"nftables": [' + "9" * 5000 + "]}"]
)
def test_what_is_no_listing_is_refused(text: str) -> None:
    with pytest.raises(ObserveError):
        parse(text)
