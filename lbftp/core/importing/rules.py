"""The packet filter's part of a cluster: which ports get a mark, and how active connections leave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from itertools import pairwise
from typing import Final, Literal

from lbftp.core.observe.iptables import Chain, Rule, Ruleset
from lbftp.core.observe.observed import Observed
from lbftp.core.render.iptables import PREFIX
from lbftp.core.spec import FAMILIES, Family
from lbftp.core.spec.values import Address, Network

Origin = Literal["running", "saved"]
# Options that a mark rule of FTP has; with any other it does not hold for every client.
_PLAIN: Final = frozenset({"-d", "-p", "--dport", "--dports", "--sport", "--sports", "-j", "--set-xmark", "-m"})
_MATCHES: Final = frozenset({"multiport", "comment", "tcp"})


@dataclass(frozen=True, slots=True)
class Marking:
    """A rule that marks packets for `ports` (inclusive ranges) of `address`, None: of any."""

    family: Family
    mark: int
    address: Address | None
    ports: tuple[tuple[int, int], ...]
    origin: Origin
    chain: str
    text: str
    conditions: bool

    @property
    def own(self) -> bool:
        return self.chain.startswith(PREFIX)


@dataclass(frozen=True, slots=True)
class WayOut:
    """A source NAT rule. `source` None: from anywhere; `ports` empty: of any port; `address` None: MASQUERADE."""

    family: Family
    source: Network | None
    ports: tuple[tuple[int, int], ...]
    address: str
    origin: Origin
    chain: str
    text: str

    @property
    def own(self) -> bool:
        return self.chain.startswith(PREFIX)


def markings(observed: Observed) -> list[Marking]:
    """Every rule that marks TCP, those that run before those that are only saved."""
    return [
        made
        for family, origin, table, chain, rule in _rules(observed)
        if table == "mangle" and (made := _marking(family, origin, chain, rule)) is not None
    ]


def ways_out(observed: Observed) -> list[WayOut]:
    return [
        made
        for family, origin, table, chain, rule in _rules(observed)
        if table == "nat" and (made := _way_out(family, origin, chain, rule)) is not None
    ]


def _rules(observed: Observed) -> Iterator[tuple[Family, Origin, str, Chain, Rule]]:
    sets: list[tuple[Origin, Family, Ruleset]] = [("running", f, observed.rules(f)) for f in FAMILIES]
    sets += [("saved", f, observed.saved_rules(f)) for f in FAMILIES]
    for origin, family, ruleset in sets:
        for table, chain, rule in ruleset.rules():
            yield family, origin, table, chain, rule


def _marking(family: Family, origin: Origin, chain: Chain, rule: Rule) -> Marking | None:
    mark = rule.sets_mark
    options = _options(rule)
    ports = _ports(options.get("--dport") or options.get("--dports") or "")
    if not mark or options.get("-p") != "tcp" or not ports:
        return None
    odd = "!" in rule.tokens or any(t.startswith("-") and t not in _PLAIN for t in rule.tokens)
    odd = odd or "-i" in options or not _MATCHES.issuperset(_values(rule, "-m"))
    address = _address(options.get("-d", ""))
    return Marking(family, mark, address, ports, origin, chain.name, rule.text, odd)


def _way_out(family: Family, origin: Origin, chain: Chain, rule: Rule) -> WayOut | None:
    options = _options(rule)
    if rule.target not in {"MASQUERADE", "SNAT"} or options.get("-p", "tcp") != "tcp" or "!" in rule.tokens:
        return None
    ports = _ports(options.get("--sport") or options.get("--sports") or "")
    address = options.get("--to-source", "").split(":")[0] if family == 4 else options.get("--to-source", "")
    return WayOut(family, _network(options.get("-s", "")), ports, address, origin, chain.name, rule.text)


def _options(rule: Rule) -> dict[str, str]:
    return {option: value for option, value in pairwise((*rule.tokens, "")) if option.startswith("-")}


def _values(rule: Rule, option: str) -> set[str]:
    return {value for name, value in pairwise(rule.tokens) if name == option}


def _ports(text: str) -> tuple[tuple[int, int], ...]:
    """`21`, `10000:20000`, `21,10000:20000`; () for names of services and anything else."""
    found = []
    for part in text.split(",") if text else []:
        low, colon, high = part.partition(":")
        words = (low or "0", (high or "65535") if colon else low)
        if not all(w.isascii() and w.isdigit() and len(w) < 6 for w in words):
            return ()
        found.append((int(words[0]), int(words[1])))
    return tuple(found)


def _address(text: str) -> Address | None:
    """A host's address; a whole network is none."""
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    return ip_address(network.network_address) if network.num_addresses == 1 else None


def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
