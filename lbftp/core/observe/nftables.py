"""`nft -j list ruleset` -> NftRuleset (libnftables-json(5)). The only place that normalises nftables' statements.

Handles, counters and the contents of named sets are left out. Spellings that versions differ in come out as one, so
that equality is `==`. Rules that iptables-nft put there are part of it, as tables such as `ip filter`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Any, Final

from lbftp.core.observe.errors import ObserveError

Statement = dict[str, Any]

_PART: Final = "nft -j list ruleset"
# Versions before 0.9.1 print names of ports even without being asked to.
_PORTS: Final = {"ftp": 21, "ftp-data": 20, "ftps": 990, "ftps-data": 989, "ssh": 22, "domain": 53, "http": 80}
_PORT_FIELDS: Final = frozenset({"sport", "dport"})
_NAT: Final = frozenset({"snat", "dnat"})
# Shown by some versions although another match of the rule already says it.
_IMPLIED: Final = {"ip": ("nfproto", "ipv4"), "ip6": ("nfproto", "ipv6"), "tcp": ("l4proto", "tcp")}


@dataclass(frozen=True, slots=True)
class NftRule:
    """One rule. `statements` are JSON texts in normal form; they and the comment decide equality."""

    statements: tuple[str, ...]
    comment: str = ""

    @property
    def expressions(self) -> list[Statement]:
        """The statements as libnftables-json(5) has them: each a dict with one key."""
        return [json.loads(s) for s in self.statements]

    @property
    def sets_mark(self) -> int | None:
        """The packet mark that this rule sets, None if it sets none."""
        for here in self.expressions:
            mangle = here.get("mangle")
            if isinstance(mangle, dict) and mangle.get("key") == {"meta": {"key": "mark"}}:
                value = mangle.get("value")
                return value if isinstance(value, int) else None
        return None


@dataclass(frozen=True, slots=True)
class NftChain:
    """`hook`, `type`, `priority` and `policy` are those of a base chain; '', '', 0 and '' otherwise."""

    name: str
    type: str = ""
    hook: str = ""
    priority: int = 0
    policy: str = ""
    rules: tuple[NftRule, ...] = ()


@dataclass(frozen=True, slots=True)
class NftTable:
    """A table and its chains by name, in the order listed.

    `flags` are not to be read but for their presence: nft 1.0.6 prints anything (measured: another table's name).
    """

    family: str
    name: str
    chains: Mapping[str, NftChain] = field(default_factory=dict)
    flags: tuple[str, ...] = ()

    @property
    def dormant(self) -> bool:
        """Whether it certainly does nothing."""
        return "dormant" in self.flags


@dataclass(frozen=True, slots=True)
class NftRuleset:
    """Tables by (family, name): ('inet', 'filter')."""

    tables: Mapping[tuple[str, str], NftTable] = field(default_factory=dict)

    def rules(self) -> Iterator[tuple[NftTable, NftChain, NftRule]]:
        """Every rule with its table and chain."""
        for table in self.tables.values():
            for chain in table.chains.values():
                for rule in chain.rules:
                    yield table, chain, rule


def rule(*statements: Statement, comment: str = "") -> NftRule:
    """The rule of `statements` in normal form; for renderers, so that both sides have one form."""
    return NftRule(tuple(_normal(list(statements))), comment)


def parse(text: str) -> NftRuleset:
    """The rule set in `text`. Raises ObserveError, and nothing else, on any text."""
    try:
        loaded = json.loads(text)
        return _ruleset(loaded["nftables"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ObserveError(_PART, f"is not what nft prints ({error!s:.80}): {text[:80]!r}") from error


@dataclass(slots=True)
class _Reading:
    """A chain while its rules come in."""

    head: NftChain
    rules: list[NftRule] = field(default_factory=list)


def _ruleset(objects: list[Any]) -> NftRuleset:
    tables: dict[tuple[str, str], dict[str, _Reading]] = {}
    flags: dict[tuple[str, str], tuple[str, ...]] = {}
    for found in objects:
        (kind, value), *_ = found.items()
        if kind == "table":
            key = _text(value["family"]), _text(value["name"])
            tables.setdefault(key, {})
            found_flags = value.get("flags", [])
            flags[key] = tuple(map(_text, found_flags if isinstance(found_flags, list) else [found_flags]))
        elif kind == "chain":
            chain = _chain(value)
            tables.setdefault(_table_of(value), {})[chain.name] = _Reading(chain)
        elif kind == "rule":
            comment = _text(value.get("comment", ""))
            tables[_table_of(value)][_text(value["chain"])].rules.append(rule(*value["expr"], comment=comment))
    return NftRuleset({
        key: NftTable(*key, {name: _with_rules(reading) for name, reading in chains.items()}, flags.get(key, ()))
        for key, chains in tables.items()
    })  # fmt: skip


def _table_of(value: Statement) -> tuple[str, str]:
    return _text(value["family"]), _text(value["table"])


def _chain(value: Statement) -> NftChain:
    priority = value.get("prio", 0)
    return NftChain(
        _text(value["name"]),
        _text(value.get("type", "")),
        _text(value.get("hook", "")),
        priority if isinstance(priority, int) else 0,
        _text(value.get("policy", "")),
    )


def _with_rules(reading: _Reading) -> NftChain:
    head = reading.head
    return NftChain(head.name, head.type, head.hook, head.priority, head.policy, tuple(reading.rules))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is not a text")
    return value


def _normal(statements: list[Any]) -> Iterator[str]:
    """JSON texts of what counts. A statement with nothing behind it is null in all versions."""
    protocols = {p for s in statements if (p := _protocol(s))}
    for statement in statements:
        (kind, value), *_ = statement.items()
        if (kind == "counter" and not isinstance(value, str)) or _implied(statement, protocols):
            continue
        if kind == "match":
            value = _match(value)
        elif kind in _NAT and isinstance(value, dict):
            value = {k: v for k, v in value.items() if k != "family"}
        yield json.dumps({kind: _plain(value) or None}, sort_keys=True, separators=(",", ":"))


def _protocol(statement: Any) -> str:
    """The protocol whose header a match looks into, '' if none."""
    left = statement["match"]["left"] if "match" in statement else None
    payload = left.get("payload") if isinstance(left, dict) else None
    return _text(payload.get("protocol", "")) if isinstance(payload, dict) else ""


def _implied(statement: Any, protocols: set[str]) -> bool:
    if "match" not in statement or statement["match"].get("op") not in {"==", "in"}:
        return False
    left, right = statement["match"]["left"], statement["match"]["right"]
    wanted = [_IMPLIED[p] for p in sorted(protocols) if p in _IMPLIED]
    return any(left == {"meta": {"key": key}} and right == value for key, value in wanted)


def _match(value: Statement) -> Statement:
    left, right = value["left"], value["right"]
    field_ = left["payload"].get("field") if isinstance(left, dict) and "payload" in left else ""
    if field_ in _PORT_FIELDS:
        right = _port_numbers(right)
    if isinstance(right, list):
        right = sorted(right, key=_key)  # flags such as ct state: in any order
    return {"op": "==" if value["op"] == "in" else value["op"], "left": left, "right": right}


def _port_numbers(value: Any) -> Any:
    if isinstance(value, str):
        return _PORTS.get(value, value)
    if isinstance(value, list):
        return [_port_numbers(v) for v in value]
    return {k: _port_numbers(v) for k, v in value.items()} if isinstance(value, dict) else value


def _plain(value: Any) -> Any:
    """Sets sorted, their elements without counters and timeouts, quotas without what is used, addresses in one form."""
    if isinstance(value, str):
        return _address(value) if ":" in value and "." in value else value
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if not isinstance(value, dict):
        return value
    if "elem" in value and isinstance(value["elem"], dict):
        return _plain(value["elem"].get("val"))
    if isinstance(value.get("set"), list):
        return {"set": sorted((_plain(v) for v in value["set"]), key=_key)}
    return {k: _plain(v) for k, v in value.items() if k not in {"used", "used_unit"}}


def _address(value: str) -> str:
    """An IPv4 address within an IPv6 one is written in two ways."""
    try:
        return str(IPv6Address(value))
    except ValueError:
        return value


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
