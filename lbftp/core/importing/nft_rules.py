"""The same as `rules`, from nftables' own tables (libnftables-json(5)). Tables that iptables made are left to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lbftp.core import ours
from lbftp.core.importing.rules import Marking, Ports, WayOut, host, network
from lbftp.core.observe.nftables import NftChain, NftRule, NftTable, Statement
from lbftp.core.observe.observed import Observed
from lbftp.core.render.nft_words import shown
from lbftp.core.spec import Family
from lbftp.core.spec.values import Address, Network

# iptables-nft keeps its rules in tables of these names, in the families ip and ip6 (iptables-nft(8)).
_OF_IPTABLES: Final = frozenset({"filter", "nat", "mangle", "raw", "security"})


def markings(observed: Observed) -> list[Marking]:
    """Every native rule that marks TCP by destination port."""
    found = []
    for table, chain, rule in _rules(observed):
        mark, ports = rule.sets_mark, _ports(_right(rule, "tcp", "dport"))
        if not mark or not ports:
            continue
        place, own = f"nft {table.family} {table.name} {chain.name}", _own(table)
        text = shown(rule)
        known = {("ip", "daddr"), ("ip6", "daddr"), ("tcp", "dport")}
        odd = any(left not in known for left in _lefts(rule))
        for family, address in _targets(rule, table):
            found.append(Marking(family, mark, address, ports, "running", place, own, text, odd))
    return found


def ways_out(observed: Observed) -> list[WayOut]:
    """Every native rule that masquerades or translates the source."""
    found = []
    for table, chain, rule in _rules(observed):
        action = next((e for e in rule.expressions if "masquerade" in e or "snat" in e), None)
        if action is None or ("tcp", "dport") in _lefts(rule):
            # Clients listen on any port in active mode: a rule for some ports is for something else.
            continue
        place, text = f"nft {table.family} {table.name} {chain.name}", shown(rule)
        snat = action.get("snat")
        address = str(snat.get("addr", "")) if isinstance(snat, dict) else ""
        ports = _ports(_right(rule, "tcp", "sport"))
        for family, source in _sources(rule, table):
            found.append(WayOut(family, source, ports, address, "running", place, _own(table), text))
    return found


def _rules(observed: Observed) -> Iterator[tuple[NftTable, NftChain, NftRule]]:
    for table, chain, rule in observed.nft.rules() if observed.nft is not None else ():
        if not (table.family in {"ip", "ip6"} and table.name in _OF_IPTABLES):
            yield table, chain, rule


def _own(table: NftTable) -> str:
    return table.name.removeprefix(ours.TABLE_PREFIX) if table.name.startswith(ours.TABLE_PREFIX) else ""


def _matches(rule: NftRule) -> Iterator[tuple[tuple[str, str], Any]]:
    """((protocol, field), right side) of every match of the packet by equality."""
    for expression in rule.expressions:
        match = expression.get("match")
        if isinstance(match, dict) and match.get("op", "==") in {"==", "in"}:
            yield _field(match.get("left")), match.get("right")


def _field(left: Any) -> tuple[str, str]:
    payload = left.get("payload") if isinstance(left, dict) else None
    return (str(payload.get("protocol")), str(payload.get("field"))) if isinstance(payload, dict) else ("", str(left))


def _lefts(rule: NftRule) -> Iterator[tuple[str, str]]:
    matches = (e["match"] for e in rule.expressions if isinstance(e.get("match"), dict))
    return (_field(m.get("left")) for m in matches)


def _right(rule: NftRule, protocol: str, field: str) -> Any:
    return next((right for left, right in _matches(rule) if left == (protocol, field)), None)


def _targets(rule: NftRule, table: NftTable) -> list[tuple[Family, Address | None]]:
    found: list[tuple[Family, Address | None]] = []
    if (four := host(str(_right(rule, "ip", "daddr")))) is not None:
        found.append((4, four))
    if (six := host(str(_right(rule, "ip6", "daddr")))) is not None:
        found.append((6, six))
    return found or [(6 if table.family == "ip6" else 4, None)]


def _sources(rule: NftRule, table: NftTable) -> list[tuple[Family, Network | None]]:
    found: list[tuple[Family, Network | None]] = []
    if (four := _prefix(_right(rule, "ip", "saddr"))) is not None:
        found.append((4, four))
    if (six := _prefix(_right(rule, "ip6", "saddr"))) is not None:
        found.append((6, six))
    return found or [(6 if table.family == "ip6" else 4, None)]


def _prefix(right: Any) -> Network | None:
    """`{"prefix": {"addr": "10.0.50.0", "len": 24}}`, or one address."""
    inner = right.get("prefix") if isinstance(right, dict) else None
    if isinstance(inner, dict):
        return network(f"{inner.get('addr')}/{inner.get('len')}")
    return network(str(right))


def _ports(right: Any) -> Ports:
    """A port, `{"range": [low, high]}`, or a set of either."""
    if isinstance(right, bool) or right is None:
        return ()
    if isinstance(right, int):
        return ((right, right),)
    if isinstance(right, dict) and isinstance(right.get("set"), list):
        return tuple(r for item in right["set"] for r in _ports(item))
    return _range(right) if isinstance(right, dict) else ()


def _range(right: Statement) -> Ports:
    ends = right.get("range")
    if isinstance(ends, list) and len(ends) == 2 and all(isinstance(e, int) for e in ends):
        return ((ends[0], ends[1]),)
    return ()
