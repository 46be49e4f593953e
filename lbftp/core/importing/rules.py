"""The packet filter's part of a cluster: which ports get a mark, and how active connections leave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from itertools import pairwise
from typing import Final, Literal

from lbftp.core.observe.iptables import Rule, Ruleset
from lbftp.core.observe.observed import Observed
from lbftp.core.ours import CHAIN_PREFIX
from lbftp.core.spec import FAMILIES, Family
from lbftp.core.spec.values import Address, Network

Origin = Literal["running", "saved"]
Ports = tuple[tuple[int, int], ...]
# Options that a mark rule of FTP has; with any other it does not hold for every client.
_PLAIN: Final = frozenset({"-d", "-p", "--dport", "--dports", "-j", "--set-xmark", "-m", "--comment"})
_MATCHES: Final = frozenset({"multiport", "comment", "tcp"})


@dataclass(frozen=True, slots=True)
class Marking:
    """A rule that marks packets for `ports` (inclusive ranges) of `address`, None: of any.

    `place` is where it is, for people. `own` is the cluster whose rule it is, '' for one of other people's.
    """

    family: Family
    mark: int
    address: Address | None
    ports: Ports
    origin: Origin
    place: str
    own: str
    text: str
    conditions: bool


@dataclass(frozen=True, slots=True)
class WayOut:
    """A source NAT rule. `source` None: from anywhere; `ports` empty: of any port; `address` '': MASQUERADE."""

    family: Family
    source: Network | None
    ports: Ports
    address: str
    origin: Origin
    place: str
    own: str
    text: str


def markings(observed: Observed) -> list[Marking]:
    """Every rule of iptables that marks TCP, those that run before those that are only saved."""
    return [made for where, rule in _rules(observed) if (made := _marking(where, rule)) is not None]


def ways_out(observed: Observed) -> list[WayOut]:
    """Every source NAT rule of iptables, in the same order."""
    return [made for where, rule in _rules(observed) if (made := _way_out(where, rule)) is not None]


@dataclass(frozen=True, slots=True)
class _Where:
    family: Family
    origin: Origin
    table: str
    chain: str
    file: str

    @property
    def place(self) -> str:
        program = "iptables" if self.family == 4 else "ip6tables"
        return f"{program if self.origin == 'running' else self.file}, {self.table} {self.chain}"

    @property
    def own(self) -> str:
        return self.chain.removeprefix(CHAIN_PREFIX) if self.chain.startswith(CHAIN_PREFIX) else ""


def _rules(observed: Observed) -> Iterator[tuple[_Where, Rule]]:
    sets: list[tuple[Origin, Family, Ruleset]] = [("running", f, observed.rules(f)) for f in FAMILIES]
    sets += [("saved", f, observed.saved_rules(f)) for f in FAMILIES]
    for origin, family, ruleset in sets:
        for table, chain, rule in ruleset.rules():
            yield _Where(family, origin, table, chain.name, observed.facts.saved_path(family)), rule


def _marking(where: _Where, rule: Rule) -> Marking | None:
    mark = rule.sets_mark
    options = _options(rule)
    ports = port_ranges(options.get("--dport") or options.get("--dports") or "")
    if where.table != "mangle" or not mark or options.get("-p") != "tcp" or not ports:
        return None
    odd = "!" in rule.tokens or not _PLAIN.issuperset(options) or not _MATCHES.issuperset(_values(rule, "-m"))
    address = host(options.get("-d", ""))
    return Marking(where.family, mark, address, ports, where.origin, where.place, where.own, rule.text, odd)


def _way_out(where: _Where, rule: Rule) -> WayOut | None:
    options = _options(rule)
    if where.table != "nat" or rule.target not in {"MASQUERADE", "SNAT"} or options.get("-p", "tcp") != "tcp":
        return None
    if {"--dport", "--dports"} & set(options):
        # Clients listen on any port in active mode, so this one is for something else.
        return None
    ports = port_ranges(options.get("--sport") or options.get("--sports") or "")
    address = options.get("--to-source", "")
    if where.family == 4:
        address = address.partition(":")[0]
    source = network(options.get("-s", ""))
    return WayOut(where.family, source, ports, address, where.origin, where.place, where.own, rule.text)


def _options(rule: Rule) -> dict[str, str]:
    return {option: value for option, value in pairwise((*rule.tokens, "")) if option.startswith("-")}


def _values(rule: Rule, option: str) -> set[str]:
    return {value for name, value in pairwise(rule.tokens) if name == option}


def port_ranges(text: str) -> Ports:
    """`21`, `10000:20000`, `21,10000:20000`; () for names of services and anything else."""
    found = []
    for part in text.split(",") if text else []:
        low, colon, high = part.partition(":")
        words = (low or "0", (high or "65535") if colon else low)
        if not all(w.isascii() and w.isdigit() and len(w) < 6 for w in words):
            return ()
        found.append((int(words[0]), int(words[1])))
    return tuple(found)


def host(text: str) -> Address | None:
    """A host's address; a whole network is none."""
    found = network(text)
    return ip_address(found.network_address) if found is not None and found.num_addresses == 1 else None


def network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
