"""One rule of nftables -> Line, as far as it is understood (libnftables-json(5)), and as people would write it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lbftp.core.observe.nftables import NftRule
from lbftp.core.path.rules import Condition, Line, Names, Ports
from lbftp.core.spec import Family

_VERDICTS: Final = {"accept": "ACCEPT", "drop": "DROP", "reject": "REJECT", "return": "RETURN"}
_NAT: Final = {"masquerade": "MASQUERADE", "snat": "SNAT", "dnat": "DNAT", "redirect": "REDIRECT"}
# Statements that decide nothing about a packet.
_QUIET: Final = frozenset({"counter", "log", "comment", "xt"})
_META: Final = {"iifname": "inward", "iif": "inward", "oifname": "outward", "oif": "outward"}
# Statements that are not understood and could decide, whatever else is in the rule.
_ACTING: Final = frozenset({"vmap", "mangle", "queue", "fwd", "dup", "tproxy", "synproxy"})
# What a rule of a form that nobody foresaw leads to.
_STRANGE: Final = (KeyError, TypeError, ValueError, AttributeError)
_SIGNS: Final = {"==": "", "!=": " !="}


@dataclass(frozen=True, slots=True)
class Reading:
    """A rule as far as it is understood. `doubtful`: something of it is not, and it could decide about packets that
    fulfil the conditions. `jump` is the chain that it jumps or goes to; the caller fills in its lines."""

    line: Line
    doubtful: bool
    jump: str


def read(found: NftRule, family: Family, names: Names) -> Reading:
    """Never raises: a rule of a form that nobody foresaw is doubtful."""
    try:
        return _read(found, family, names)
    except _STRANGE:
        return Reading(Line(" ".join(found.statements), ""), doubtful=True, jump="")


def _read(found: NftRule, family: Family, names: Names) -> Reading:
    conditions: list[Condition] = []
    target, jump, to, xmark, whole, acts = "", "", "", None, True, False
    for statement in found.expressions:
        ((kind, value),) = statement.items()
        if kind == "match":
            condition = _match(value, family, names)
            whole = whole and condition is not None
            conditions += [condition] if condition else []
        elif kind in _VERDICTS or kind in _NAT:
            target = _VERDICTS.get(kind) or _NAT[kind]
            to = _to(value) if isinstance(value, dict) and kind in _NAT else ""
        elif kind in {"jump", "goto"}:
            jump = str(value["target"])
        elif kind == "mangle" and found.sets_mark is not None:
            xmark = (found.sets_mark, 0xFFFFFFFF)
        else:
            whole, acts = whole and kind in _QUIET, acts or kind in _ACTING
    acts = acts or bool(target or jump or xmark)
    line = Line(written(found), "" if not whole else target, tuple(conditions), xmark, (), to)
    return Reading(line, not whole and acts, jump)


def _to(value: dict[str, Any]) -> str:
    """Where a nat statement sends packets, as iptables writes it: ADDRESS, ADDRESS:PORT, or a port alone."""
    address, port = value.get("addr"), value.get("port")
    if address is None:
        return "" if port is None else _right(port)
    text = _right(address)
    return text if port is None else f"[{text}]:{_right(port)}" if ":" in text else f"{text}:{_right(port)}"


def tracks(found: NftRule) -> bool:
    """Whether the rule turns connection tracking on (nft_ct_get_init and the nat expressions: nf_ct_netns_get)."""
    return any('{"ct":' in text or any(text.startswith(f'{{"{word}"') for word in _NAT) for text in found.statements)


def _match(value: dict[str, Any], family: Family, names: Names) -> Condition | None:
    """None: not understood."""
    if value["op"] not in _SIGNS:
        return None
    found = _plain(value["left"], list(_values(value["right"])), family, names)
    if found is None:
        return None
    return Condition(found.what, found.values, negated=value["op"] == "!=")


def _plain(left: Any, values: list[Any], family: Family, names: Names) -> Condition | None:
    kind, inner = _one(left)
    if kind == "meta":
        return _meta(inner.get("key", ""), values, family, names)
    if kind == "payload" and "protocol" in inner:
        return _payload(inner["protocol"], inner.get("field", ""), values, (family, names))
    if kind == "ct" and inner.get("key") == "state":
        return Condition("tracked", tuple(str(v).upper() for v in values))
    if kind == "fib" and inner.get("result") == "type" and values == ["local"]:
        return Condition("destination", ("vip", "router"))
    if kind == "&" and '"flags"' in json.dumps(inner) and values == ["syn"]:
        return Condition("syn", (True,))
    return None


def _meta(key: str, values: list[Any], family: Family, names: Names) -> Condition | None:
    if key in _META:
        return Condition(_META[key], tuple(side for v in values for side in names.sides(str(v))))
    if key == "l4proto":
        return _always("tcp" in values or 6 in values)
    if key == "nfproto":
        return _always(("ipv4" if family == 4 else "ipv6") in values)
    if key == "mark" and len(values) == 1 and isinstance(values[0], int):
        return Condition("mark", (values[0], 0xFFFFFFFF))
    return None


def _payload(protocol: str, field: str, values: list[Any], here: tuple[Family, Names]) -> Condition | None:
    family, names = here
    if protocol in {"udp", "icmp", "icmpv6", "sctp", "dccp"}:
        return _always(False)
    if protocol in {"ip", "ip6"} and field in {"saddr", "daddr"}:
        if protocol != ("ip" if family == 4 else "ip6"):
            return _always(False)
        if any(isinstance(v, dict) or str(v).startswith("@") for v in values):
            return None
        roles = tuple(role for v in values for role in names.roles(str(v)))
        return Condition("source" if field == "saddr" else "destination", roles)
    if protocol in {"tcp", "th"} and field in {"sport", "dport"}:
        ports = [_ports(v) for v in values]
        return None if None in ports else Condition(field, tuple(ports))
    return _always("tcp" in values or 6 in values) if field in {"protocol", "nexthdr"} else None


def _one(value: Any) -> tuple[str, Any]:
    """The kind of an expression and what is in it."""
    if isinstance(value, dict) and len(value) == 1:
        ((kind, inner),) = value.items()
        return str(kind), inner
    return "", {}


def _always(holds: bool) -> Condition:
    """Every packet that is followed is TCP."""
    return Condition("syn", (True, False) if holds else ())


def _values(right: Any) -> Iterator[Any]:
    """The single values of a set, a list or one value; prefixes as text, ranges of ports as pairs."""
    if isinstance(right, dict) and isinstance(right.get("set"), list):
        for one in right["set"]:
            yield from _values(one)
    elif isinstance(right, list):
        yield from right
    elif isinstance(right, dict) and "prefix" in right:
        yield f"{right['prefix']['addr']}/{right['prefix']['len']}"
    elif isinstance(right, dict) and "range" in right:
        low, high = right["range"]
        yield (low, high) if isinstance(low, int) else right
    else:
        yield right


def _ports(value: Any) -> Ports | None:
    low, high = value if isinstance(value, tuple) else (value, value)
    return Ports(low, high) if type(low) is int and type(high) is int and 0 <= low <= high <= 65535 else None


def written(found: NftRule) -> str:
    """The rule in nft's own words, near enough to be found in `nft list ruleset`; in JSON if it has no known form."""
    try:
        return " ".join(_statement(kind, value) for s in found.expressions for kind, value in s.items())
    except _STRANGE:
        return " ".join(found.statements)


def _statement(kind: str, value: Any) -> str:
    if kind == "match":
        return f"{_left(value['left'])}{_SIGNS.get(value['op'], ' ' + value['op'])} {_right(value['right'])}"
    if kind == "mangle":
        set_to = value["value"]
        return f"{_left(value['key'])} set {f'{set_to:#x}' if isinstance(set_to, int) else _right(set_to)}"
    if kind in {"jump", "goto"}:
        return f"{kind} {value['target']}"
    if kind in _NAT and isinstance(value, dict) and (to := _to(value)):
        return f"{kind} to {to if 'addr' in value else f':{to}'}"
    return kind


def _left(value: Any) -> str:
    if isinstance(value, dict) and len(value) == 1:
        ((kind, inner),) = value.items()
        if kind in {"meta", "ct"} and isinstance(inner, dict):
            key = str(inner.get("key"))
            return key if kind == "meta" and key in _META else f"{kind} {key}"
        if kind == "payload" and isinstance(inner, dict):
            return f"{inner.get('protocol')} {inner.get('field')}"
    return json.dumps(value)


def _right(value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("set"), list):
        return "{ " + ", ".join(_right(v) for v in value["set"]) + " }"
    if isinstance(value, dict) and "range" in value:
        return "-".join(str(v) for v in value["range"])
    if isinstance(value, dict) and "prefix" in value:
        return f"{value['prefix']['addr']}/{value['prefix']['len']}"
    return _listed(value) if isinstance(value, list) else str(value)


def _listed(values: Sequence[Any]) -> str:
    return ",".join(str(v) for v in values)
