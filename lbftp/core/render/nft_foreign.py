"""Others' filters in nftables: would they let through what a cluster needs?

Each need becomes packets whose properties are known only as ranges (any client, any port of the passive range). A
condition then holds for all of them, for none, or that cannot be told; a verdict counts only if all conditions before
it certainly hold. So an accept of some clients is none, and a blocklist loses nothing. What iptables-nft put there
shows partly as `xt`, which cannot be told either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import ip_network
from typing import Any, Final

from lbftp.core.observe.nftables import NftChain, NftRuleset, NftTable, Statement
from lbftp.core.render.accepts import Accept, as_iptables, as_nftables, marked_ports, tracked
from lbftp.core.spec import ClusterSpec, Side

Range = tuple[int, int]

_ANY: Final[Range] = (0, 1 << 128)
_PROTOCOLS: Final = {"tcp": 6, "udp": 17, "vrrp": 112, "icmp": 1, "ipv6-icmp": 58, "icmpv6": 58, "sctp": 132}
_FAMILIES: Final = {"ip": (4,), "ip6": (6,), "inet": (4, 6)}
_TRANSPORTS: Final = ("tcp", "udp")
# Statements that do not decide about the packet.
_NEUTRAL: Final = frozenset({"counter", "log", "mangle", "notrack"})
_DEPTH: Final = 16
_IPTABLES: Final = frozenset({"filter", "mangle", "security", "raw", "nat"})


@dataclass(frozen=True, slots=True)
class Packet:
    """Packets of one kind. Addresses, ports, mark and protocol are inclusive ranges of numbers; '' is not known."""

    family: int
    numbers: dict[str, Range]
    inward: str
    outward: str
    state: str


def packets(spec: ClusterSpec, side: Side, need: Accept) -> Iterator[Packet]:
    """What `need` is about. Marked packets are those for each of the VIP's marked ports."""
    if need.mark:
        for port in marked_ports(spec):
            known = {"mark": (need.mark, need.mark), "protocol": (6, 6), "dport": _ports(port)}
            if need.place == "INPUT":
                known["daddr"] = _addresses(str(side.vip)) or _ANY
            yield Packet(side.family, known, "", "", "new" if tracked(spec) or need.place == "INPUT" else "untracked")
        return
    protocol = _PROTOCOLS.get(need.protocol) or int(need.protocol)
    known = {"protocol": (protocol, protocol), "mark": (0, 0)}
    for name, text in (("saddr", need.source), ("daddr", need.destination)):
        if text:
            known[name] = _addresses(text) or _ANY
    for name, text in (("sport", need.sport), ("dport", need.dport)):
        if text:
            known[name] = _ports(text)
    yield Packet(side.family, known, need.inward, need.outward, _state(spec, need))


def _state(spec: ClusterSpec, need: Accept) -> str:
    """Answers that IPVS does not track look invalid: tracking never saw the connection's beginning."""
    if need.established:
        return "established"
    answers = need.place == "FORWARD" and need.sport and not tracked(spec) and need.sport in marked_ports(spec)
    return "invalid" if answers else "new"


def drops(
    needed: Sequence[tuple[Accept, Packet]], nft: NftRuleset, own: str
) -> list[tuple[NftTable, NftChain, list[str]]]:
    """(table, chain, lines to add) for each base chain, of tables not named `own`…, that would lose something."""
    found = []
    for table in nft.tables.values():
        if table.dormant or table.name.startswith(own):
            continue
        for chain in table.chains.values():
            lost = [n for n, p in needed if _meets(table, chain, n) and not passes(table, chain, p)]
            if lost:
                lines = dict.fromkeys(_line(table, chain, need) for need in lost)
                found.append((table, chain, [*lines]))
    return found


def _meets(table: NftTable, chain: NftChain, need: Accept) -> bool:
    return chain.hook == need.place.lower() and need.family in _FAMILIES.get(table.family, ())


def of_iptables(table: NftTable, chain: NftChain) -> bool:
    """Whether iptables-nft made the base chain: its names are those of iptables."""
    return table.family in {"ip", "ip6"} and table.name in _IPTABLES and chain.name == chain.hook.upper()


def _line(table: NftTable, chain: NftChain, need: Accept) -> str:
    """As the chain's owner writes rules: iptables-nft's chains are changed with iptables."""
    if not of_iptables(table, chain):
        return as_nftables(need)
    program = "ip6tables" if table.family == "ip6" else "iptables"
    where = "" if table.name == "filter" else f" -t {table.name}"
    return f"{program}{where} -I {need.place} {as_iptables(need)}"


def passes(table: NftTable, chain: NftChain, packet: Packet) -> bool:
    """Whether the base chain certainly lets `packet` through."""
    return (_walk(table, chain, packet, _DEPTH) or chain.policy or "accept") == "accept"


def _walk(table: NftTable, chain: NftChain, packet: Packet, depth: int) -> str:
    """'accept' or 'drop', '' if no rule certainly decides."""
    for rule in chain.rules if depth else ():
        verdict = _verdict(rule.expressions, packet)
        ((kind, value),) = verdict.items() if verdict else (("", None),)
        if kind in {"accept", "drop"}:
            return kind
        if kind == "reject":
            return "drop"
        if kind == "return":
            return ""
        target = table.chains.get(str(value.get("target"))) if isinstance(value, dict) else None
        if kind in {"jump", "goto"} and target is not None:
            if found := _walk(table, target, packet, depth - 1):
                return found
            if kind == "goto":
                return ""
    return ""


def _verdict(statements: list[Statement], packet: Packet) -> Statement:
    """What the rule certainly does with `packet`, {} for nothing."""
    for statement in statements:
        ((kind, value),) = statement.items()
        if kind in {"accept", "drop", "reject", "return", "jump", "goto"}:
            return statement
        if kind == "vmap":
            return _mapped(value, packet)
        if kind not in _NEUTRAL and not (kind == "match" and _holds(value, packet)):
            return {}
    return {}


def _mapped(value: Any, packet: Packet) -> Statement:
    for entry in _choices(value.get("data")) if isinstance(value, dict) else ():
        if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], dict) and len(entry[1]) == 1:
            key, verdict = entry
            if _holds({"op": "==", "left": value.get("key"), "right": key}, packet):
                return dict(verdict)
    return {}


def _holds(match: Any, packet: Packet) -> bool:
    """Whether the condition holds for certain."""
    within = _within(match["left"], _choices(match["right"]), packet)
    return within is (match["op"] == "==") if match["op"] in ("==", "!=") else False


def _choices(right: Any) -> list[Any]:
    if isinstance(right, dict) and isinstance(right.get("set"), list):
        return list(right["set"])
    return right if isinstance(right, list) else [right]


def _within(left: Any, choices: list[Any], packet: Packet) -> bool | None:
    """Whether the packets' value is among `choices`: all (True), none (False), some or not known (None)."""
    ((kind, inner),) = left.items() if isinstance(left, dict) and len(left) == 1 else (("", None),)
    if not isinstance(inner, dict):
        return None
    if kind == "payload":
        return _payload(inner.get("protocol"), inner.get("field"), choices, packet)
    if kind == "meta":
        return _meta(inner.get("key"), choices, packet)
    if kind == "ct" and inner == {"key": "state"}:
        return packet.state in choices
    return None


def _payload(protocol: Any, field: Any, choices: list[Any], packet: Packet) -> bool | None:
    if protocol in ("ip", "ip6"):
        if packet.family != (6 if protocol == "ip6" else 4):
            return False
        return _among("protocol" if field in ("protocol", "nexthdr") else field, choices, packet)
    if protocol in _TRANSPORTS and packet.numbers["protocol"][0] != _PROTOCOLS[protocol]:
        return False
    return _among(field, choices, packet) if protocol in (*_TRANSPORTS, "th") else None


def _meta(key: Any, choices: list[Any], packet: Packet) -> bool | None:
    if key in ("iifname", "iif", "oifname", "oif"):
        name = packet.inward if key.startswith("i") else packet.outward
        return any(fnmatchcase(name, str(c)) for c in choices) if name else None
    if key == "nfproto":
        return ("ipv6" if packet.family == 6 else "ipv4") in choices
    return _among("protocol" if key == "l4proto" else key, choices, packet) if key in ("mark", "l4proto") else None


def _among(name: Any, choices: list[Any], packet: Packet) -> bool | None:
    low, high = packet.numbers.get(name, _ANY) if isinstance(name, str) else _ANY
    ranges = [_range(choice) for choice in choices]
    if any(r is not None and r[0] <= low and high <= r[1] for r in ranges):
        return True
    if all(r is not None and (r[1] < low or high < r[0]) for r in ranges):
        return False
    return None


def _range(choice: Any) -> Range | None:
    """The numbers that a value of nft's JSON stands for, None if that cannot be told."""
    if isinstance(choice, int):
        return choice, choice
    if isinstance(choice, str):
        return (_PROTOCOLS[choice],) * 2 if choice in _PROTOCOLS else _addresses(choice)
    if isinstance(choice, dict) and isinstance(choice.get("prefix"), dict):
        return _addresses(f"{choice['prefix'].get('addr')}/{choice['prefix'].get('len')}")
    if isinstance(choice, dict) and isinstance(choice.get("range"), list) and len(choice["range"]) == 2:
        first, last = map(_range, choice["range"])
        return (first[0], last[1]) if first and last else None
    return None


def _addresses(text: str) -> Range | None:
    try:
        found = ip_network(text, strict=False)
    except ValueError:
        return None
    if found.prefixlen == 0:
        return _ANY
    return int(found.network_address), int(found.broadcast_address)


def _ports(text: str) -> Range:
    low, _, high = text.partition(":")
    return int(low), int(high or low)
