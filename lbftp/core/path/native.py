"""nftables' own tables on a router, as far as they decide about FTP packets (nft(8)).

What is not understood (verdict maps, named sets, limits …) is named in `Native.unread`, where it could decide about
our packets: a prediction past it is 'unknown' rather than 'ok'.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lbftp.core.observe.iptables import Ruleset
from lbftp.core.observe.nftables import NftChain, NftRuleset, NftTable
from lbftp.core.path import nft
from lbftp.core.path.rules import Filter, Line, Names, Ports, about
from lbftp.core.spec import Family

_HOOKS: Final = {"input": "INPUT", "forward": "FORWARD", "output": "OUTPUT"}


@dataclass(frozen=True, slots=True)
class Native:
    """What nftables does beside iptables: to packets before routing, in filters, and to connections on their way out.

    `prerouting` are the nat chains there, each with where it stands. `tracking` is a rule that turns connection
    tracking on. `unread` are (where, what) that could not be evaluated.
    """

    marking: tuple[Line, ...] = ()
    filters: tuple[Filter, ...] = ()
    prerouting: tuple[tuple[str, tuple[Line, ...]], ...] = ()
    postrouting: tuple[Line, ...] = ()
    tracking: str = ""
    unread: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Packets:
    """Whose packets are followed: over which IP version, what their addresses mean, which ports they have."""

    family: Family
    names: Names
    ports: tuple[Ports, ...]


def native(ruleset: NftRuleset | None, beside: Ruleset, packets: Packets) -> Native:
    """The tables of nftables that are not iptables' own (`beside`)."""
    if ruleset is None:
        return Native()
    families = ("inet", "ip" if packets.family == 4 else "ip6")
    tables = [
        t
        for (family, name), t in sorted(ruleset.tables.items())
        if family in families and name not in _of(beside, family)
    ]
    bases = sorted(
        ((c.priority, t.family, t.name, c.name, t, c) for t in tables for c in t.chains.values() if c.hook),
        key=lambda found: found[:4],
    )
    found = [_Base(t, c, packets) for *_, t, c in bases]
    tracked = [nft.written(r) for t in tables for c in t.chains.values() for r in c.rules if nft.tracks(r)]
    return Native(
        marking=tuple(line for base in found if base.does("prerouting", "filter") for line in base.lines),
        filters=tuple(base.filter for base in found if base.filters),
        prerouting=tuple((base.where, base.lines) for base in found if base.does("prerouting", "nat")),
        postrouting=tuple(line for base in found if base.does("postrouting", "nat") for line in base.lines),
        tracking=next(iter(tracked), ""),
        unread=tuple(doubt for base in found for doubt in base.doubts),
    )


def _of(beside: Ruleset, family: str) -> frozenset[str]:
    """Tables that iptables-nft keeps, and iptables-save has shown."""
    return frozenset(beside.tables) if family in {"ip", "ip6"} else frozenset()


class _Base:
    """A base chain with everything it jumps to."""

    def __init__(self, table: NftTable, chain: NftChain, packets: Packets) -> None:
        self.table, self.chain, self.packets = table, chain, packets
        self.done: dict[str, tuple[Line, ...]] = {}
        self.missed: list[Line] = []
        self.lines = self._build(chain.name)

    def does(self, hook: str, type_: str) -> bool:
        return (self.chain.hook, self.chain.type) == (hook, type_)

    @property
    def filters(self) -> bool:
        return self.chain.hook in _HOOKS and self.chain.type == "filter"

    @property
    def where(self) -> str:
        return f"nftables {self.table.family} {self.table.name} {self.chain.name}"

    @property
    def filter(self) -> Filter:
        policy = "DROP" if self.chain.policy == "drop" else "ACCEPT"
        return Filter(_HOOKS[self.chain.hook], policy, about(self.lines, self.packets.ports), self.where)

    @property
    def doubts(self) -> Iterator[tuple[str, str]]:
        """The first rule that could decide about our packets and is not understood; a chain that loses packets before
        they are marked."""
        for line in about(self.missed, self.packets.ports)[:1]:
            yield f"router, {self.where}", f"The rule `{line.text}` is not understood: what it does is unknown."
        if self.chain.hook in {"prerouting", "postrouting"} and self._loses():
            what = "This chain drops packets, which is not evaluated: whether ours pass is unknown."
            yield f"router, {self.where}", what

    def _loses(self) -> bool:
        return self.chain.policy == "drop" or any(one.target in {"DROP", "REJECT"} for one in self._flat(self.lines))

    def _flat(self, lines: Sequence[Line]) -> Iterator[Line]:
        for line in lines:
            yield line
            yield from self._flat(line.inner)

    def _build(self, name: str) -> tuple[Line, ...]:
        if name not in self.done:
            self.done[name] = ()
            found = self.table.chains.get(name)
            self.done[name] = tuple(self._read(found)) if found else ()
        return self.done[name]

    def _read(self, chain: NftChain) -> Iterator[Line]:
        for rule in chain.rules:
            reading = nft.read(rule, self.packets.family, self.packets.names)
            if any(c.never for c in reading.line.conditions):
                continue
            line = replace(reading.line, inner=self._build(reading.jump) if reading.jump else ())
            if reading.doubtful:
                self.missed.append(line)
            elif line.counts:
                yield line
