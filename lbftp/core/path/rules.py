"""Packets, and packet filter rules read far enough to say what happens to one (iptables-extensions(8)).

Rules come from a real router (`chain`) or are written down by hand (`line`); both go through the readers' one normal
form. A condition that is not understood (limit, recent, sets …) is taken as not fulfilled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from ipaddress import ip_network
from itertools import pairwise
from typing import Final, Literal

from lbftp.core.observe.iptables import Rule, Ruleset, rule
from lbftp.core.spec.values import Address

Role = Literal["client", "vip", "router", "server"]
Side = Literal["public", "internal"]
Tracked = Literal["NEW", "ESTABLISHED", "INVALID"]

# Where clients' control and data connections come from in the packets that are followed: any port would do.
CLIENT_PORTS: Final = (40000, 40001)
# Targets after which no further rule of the table is looked at.
ENDS: Final = frozenset({"ACCEPT", "DROP", "REJECT", "MASQUERADE", "SNAT", "DNAT", "REDIRECT", "NETMAP"})
# nf_conntrack starts to work when the first of these is loaded (nf_ct_netns_get in each one's check function).
_TRACKING_TARGETS: Final = frozenset(
    {"MASQUERADE", "SNAT", "DNAT", "REDIRECT", "NETMAP", "CONNMARK", "CONNSECMARK", "CT", "SYNPROXY"}
)
_TRACKING_MATCHES: Final = frozenset(
    {"conntrack", "state", "connmark", "connlimit", "connbytes", "connlabel", "helper", "cluster"}
)
# Where a nat rule sends packets: to an address with or without a port, or (REDIRECT) to ports of the router's own.
_TO: Final = frozenset({"--to-source", "--to-destination", "--to-ports", "--to"})
_TRACKING: Final = _TRACKING_TARGETS | _TRACKING_MATCHES
_STATES: Final = frozenset({"--ctstate", "--state"})
_SYN_FLAGS: Final = ("FIN,SYN,RST,ACK", "SYN")


@dataclass(frozen=True, slots=True, order=True)
class Ports:
    """Inclusive TCP ports, 0 to 65535."""

    low: int
    high: int

    def __contains__(self, port: object) -> bool:
        return isinstance(port, int) and self.low <= port <= self.high

    def __str__(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


@dataclass(frozen=True, slots=True)
class Packet:
    """One TCP packet at one place. `tracked` is its state in connection tracking; `syn`: it opens a connection.

    `marker` is the rule that last set its mark.
    """

    source: Role
    sport: int
    destination: Role
    dport: int
    tracked: Tracked = "NEW"
    syn: bool = True
    mark: int = 0
    inward: Side | Literal[""] = ""
    outward: Side | Literal[""] = ""
    marker: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """`what` is an attribute of Packet, or 'never' for what is not understood. `values` holds Ports for ports, and
    (value, mask) for a mark."""

    what: str
    values: tuple[object, ...] = ()
    negated: bool = False

    @property
    def never(self) -> bool:
        """Whether no packet of ours fulfils it."""
        return self.what == "never" or (not self.values and not self.negated)

    def holds(self, packet: Packet) -> bool:
        if self.what == "never":
            return False
        return self._plain(getattr(packet, self.what)) != self.negated

    def _plain(self, value: object) -> bool:
        if self.what == "mark":
            wanted, mask = self.values
            return isinstance(value, int) and isinstance(mask, int) and value & mask == wanted
        if self.what in {"sport", "dport"}:
            return any(isinstance(ports, Ports) and value in ports for ports in self.values)
        return value in self.values


@dataclass(frozen=True, slots=True)
class Line:
    """One rule. `inner` are the rules of the chain it jumps to; `xmark` is (value, mask) of a MARK; `to` is where a
    nat target sends packets."""

    text: str
    target: str
    conditions: tuple[Condition, ...] = ()
    xmark: tuple[int, int] | None = None
    inner: tuple[Line, ...] = ()
    to: str = ""

    def matches(self, packet: Packet) -> bool:
        return all(c.holds(packet) for c in self.conditions)

    @property
    def counts(self) -> bool:
        """Whether it can ever do something to one of our packets; most of a router's rules are about others."""
        acts = self.target in ENDS or self.target == "RETURN" or self.xmark is not None or bool(self.inner)
        return acts and not any(c.never for c in self.conditions)


@dataclass(frozen=True, slots=True)
class Filter:
    """A chain that packets pass at a place (`chain`: INPUT, FORWARD, OUTPUT), and the policy for what no rule takes.

    `own` is its name where it is another than the place's, as in nftables.
    """

    chain: str
    policy: str = "ACCEPT"
    lines: tuple[Line, ...] = ()
    own: str = ""

    @property
    def name(self) -> str:
        return self.own or self.chain

    @property
    def place(self) -> str:
        return self.own or f"filter {self.chain}"

    def verdict(self, packet: Packet) -> tuple[str, str]:
        """(ACCEPT, DROP or REJECT; why)."""
        _, end = run(self.lines, packet)
        if end is not None:
            return ("ACCEPT" if end.target not in {"DROP", "REJECT"} else end.target), f"rule `{end.text}`"
        return self.policy, f"policy {self.policy}, and no rule accepts it"


@dataclass(frozen=True, slots=True)
class Names:
    """What the addresses and interfaces in a router's rules stand for. A client is any address nobody names."""

    addresses: Mapping[Role, tuple[Address, ...]] = field(default_factory=dict)
    interfaces: Mapping[Side, str] = field(default_factory=dict)

    def roles(self, network: str) -> tuple[Role, ...]:
        """Who is inside `network` with every address."""
        span = _span(network)
        if span is None:
            return ()
        version, low, high = span
        if low == 0 and high.bit_length() == (32 if version == 4 else 128):
            return ("client", "vip", "router", "server")
        return tuple(
            role
            for role, own in self.addresses.items()
            if own and all(a.version == version and low <= int(a) <= high for a in own)
        )

    def sides(self, pattern: str) -> tuple[Side, ...]:
        """Which interfaces a name or `name+` means."""
        plain = pattern[:-1] + "*" if pattern.endswith("+") else pattern
        return tuple(side for side, name in self.interfaces.items() if fnmatchcase(name, plain))


_DOTTED: Final = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})(?:/([0-9]{1,2}))?")


def _span(network: str) -> tuple[int, int, int] | None:
    """(IP version, first, last) of a network or address; None for what is neither. The usual form without ipaddress,
    which is too slow for ten thousand rules."""
    if found := _DOTTED.fullmatch(network):
        a, b, c, d = int(found[1]), int(found[2]), int(found[3]), int(found[4])
        length = int(found[5] or 32)
        if max(a, b, c, d) > 255 or length > 32:
            return None
        size = 1 << (32 - length)
        low = (a << 24 | b << 16 | c << 8 | d) & -size
        return 4, low, low + size - 1
    try:
        other = ip_network(network, strict=False)
    except ValueError:
        return None
    return other.version, int(other.network_address), int(other.broadcast_address)


def run(lines: Sequence[Line], packet: Packet) -> tuple[Packet, Line | None]:
    """The packet as it leaves the rules (marks applied), and the rule that ended its way, if one did."""
    for here in lines:
        if not here.matches(packet):
            continue
        if here.target == "RETURN":
            return packet, None
        if here.xmark is not None:
            value, mask = here.xmark
            packet = replace(packet, mark=(packet.mark & ~mask) ^ value, marker=here.text)
        packet, end = run(here.inner, packet)
        if end is not None or here.target in ENDS:
            return packet, end or here
    return packet, None


def chain(ruleset: Ruleset, table: str, name: str, names: Names) -> tuple[Line, ...]:
    """The chain with everything it jumps to, without rules that are about others.

    A loop, which the kernel refuses, ends where it would close.
    """
    done: dict[str, tuple[Line, ...]] = {}

    def build(here: str) -> tuple[Line, ...]:
        if here not in done:
            done[here] = ()
            found = ruleset.chain(table, here)
            lines = (_line(r, names, build(r.target)) for r in found.rules) if found else ()
            done[here] = tuple(one for one in lines if one.counts)
        return done[here]

    return build(name)


def single(found: Rule, names: Names) -> Line:
    """One rule by itself, without what it jumps to."""
    return _line(found, names, ())


def line(text: str) -> Line:
    """The rule written as the part behind `-A CHAIN`, without addresses and interfaces."""
    return _line(rule(text), Names(), ())


def tracking_rule(ruleset: Ruleset) -> str:
    """A rule of the router, used or not, that has turned connection tracking on (truth 3); '' if there is none."""
    return next((found.text for _, _, found in ruleset.rules() if _tracks(found)), "")


def about(lines: Sequence[Line], ours: Sequence[Ports]) -> tuple[Line, ...]:
    """The rules without those that name other ports than `ours` only; inner chains stay whole."""
    return tuple(
        one
        for one in lines
        if all(_meets(c, ours) for c in one.conditions if c.what in {"sport", "dport"} and not c.negated)
    )


def _meets(condition: Condition, ours: Sequence[Ports]) -> bool:
    return any(a.low <= b.high and b.low <= a.high for a in condition.values if isinstance(a, Ports) for b in ours)


def ports_named(lines: Sequence[Line], what: str) -> Iterator[Ports]:
    """Every range of ports that a rule names for `what` (sport or dport)."""
    for here in lines:
        for condition in here.conditions:
            if condition.what == what:
                yield from (p for p in condition.values if isinstance(p, Ports))
        yield from ports_named(here.inner, what)


def ports_of(found: Rule, option: str) -> tuple[Ports, ...]:
    """The ports that a rule names behind `option` (--sport, --dport); () for none."""
    words = dict(zip(found.tokens, found.tokens[1:], strict=False))
    return tuple(_ports(words.get(option, "")))


def _tracks(found: Rule) -> bool:
    if _TRACKING.isdisjoint(found.tokens):
        return False
    matches = {b for a, b in zip(found.tokens, found.tokens[1:], strict=False) if a == "-m"}
    return found.target in _TRACKING_TARGETS or bool(matches & _TRACKING_MATCHES)


def _line(found: Rule, names: Names, inner: tuple[Line, ...]) -> Line:
    conditions: list[Condition] = []
    for condition in _conditions(found.tokens, names):
        conditions.append(condition)
        if condition.never:
            # Most rules of a router are about others: the rest of them need not be understood.
            break
    to = next((value for option, value in pairwise(found.tokens) if option in _TO), "")
    return Line(found.text, found.target, tuple(conditions), _xmark(found), inner, to)


def _xmark(found: Rule) -> tuple[int, int] | None:
    if found.target != "MARK":
        return None
    words = dict(zip(found.tokens, found.tokens[1:], strict=False))
    value, _, mask = words.get("--set-xmark", "").partition("/")
    try:
        return int(value, 16), int(mask or "0xffffffff", 16)
    except ValueError:
        return None


def _conditions(tokens: Sequence[str], names: Names) -> Iterator[Condition]:
    """One for each option before the target."""
    negated, index = False, 0
    while index < len(tokens) and tokens[index] not in {"-j", "-g"}:
        option, values = tokens[index], []
        index += 1
        if option == "!":
            negated = True
            continue
        while index < len(tokens) and tokens[index] != "!" and not tokens[index].startswith("-"):
            values.append(tokens[index])
            index += 1
        if option not in {"-m", "--comment"}:
            condition = _condition(option, values, names)
            yield replace(condition, negated=True) if negated else condition
        negated = False


def _condition(option: str, values: list[str], names: Names) -> Condition:  # noqa: PLR0911 - one line an option
    value = values[0] if values else ""
    if option in {"-s", "-d"}:
        return Condition("source" if option == "-s" else "destination", names.roles(value))
    if option in {"-i", "-o"}:
        return Condition("inward" if option == "-i" else "outward", names.sides(value))
    if option in {"--sport", "--sports", "--dport", "--dports"}:
        return Condition(option[2:].rstrip("s"), tuple(_ports(value)))
    if option in _STATES:
        return Condition("tracked", tuple(value.split(",")))
    if option == "--syn" or (option == "--tcp-flags" and tuple(values) == _SYN_FLAGS):
        return Condition("syn", (True,))
    if option == "--dst-type" and value == "LOCAL":
        return Condition("destination", ("vip", "router"))
    if option == "-p":
        # Every packet here is TCP.
        return Condition("syn", (True, False) if value in {"tcp", "all", "0"} else ())
    return _mark(value) if option == "--mark" else Condition("never")


def _ports(text: str) -> Iterator[Ports]:
    for part in text.split(","):
        low, colon, high = part.partition(":")
        if (low + high).isascii() and (low + high).isdigit():
            yield Ports(int(low or "0"), int(high or "65535") if colon else int(low))


def _mark(text: str) -> Condition:
    value, _, mask = text.partition("/")
    try:
        return Condition("mark", (int(value, 16), int(mask or "0xffffffff", 16)))
    except ValueError:
        return Condition("never")
