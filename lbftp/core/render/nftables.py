"""Our own table of nftables for a cluster on a router: one of the family inet, both IP versions in one.

Sources: nft(8). A nat chain in an inet table needs Linux 5.2. The table marks and lets active mode out. It cannot make
room in others' filters, because a packet has to pass every base chain of a hook: see `foreign_drops`.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Final

from lbftp.core.observe.nftables import NftChain, NftRule, NftRuleset, NftTable, Statement, rule
from lbftp.core.ours import OWNED, TABLE_PREFIX
from lbftp.core.promise import data_ports
from lbftp.core.render import nft_foreign
from lbftp.core.render.accepts import accepts, inside, marked_ports
from lbftp.core.render.artifact import header
from lbftp.core.render.nft_words import table_text
from lbftp.core.spec import ClusterSpec, RouterSpec, Side, cluster_name

FAMILY: Final = "inet"
FOLDER: Final = "/etc/nftables.d"
# What nftables.service reads, by platform.
MAIN: Final = {"debian": "/etc/nftables.conf", "redhat": "/etc/sysconfig/nftables.conf"}
INCLUDE_LINE: Final = f'include "{FOLDER}/{TABLE_PREFIX}*.nft"'

# nft(8): the priorities named mangle and srcnat; older versions know them only as numbers.
_MANGLE: Final = -150
_SRCNAT: Final = 100
_INCLUDE: Final = re.compile(r"""include\s+(?:"([^"]+)"|'([^']+)')\s*;?""")
_FLUSH: Final = re.compile(r"flush\s+ruleset\b")


@dataclass(frozen=True, slots=True)
class OwnTable:
    """A table that is ours alone. `name` is the table's (`ours.TABLE_PREFIX`); its family is inet."""

    name: str
    chains: tuple[NftChain, ...]

    @property
    def as_table(self) -> NftTable:
        return NftTable(FAMILY, self.name, {c.name: c for c in self.chains})


def table_name(cluster: str) -> str:
    """The name of the cluster's table; checked here too, because it becomes part of a path and of commands."""
    return f"{TABLE_PREFIX}{cluster_name(cluster)}"


def table(spec: ClusterSpec, router: RouterSpec) -> OwnTable:  # noqa: ARG001 - the same on both routers
    """The table that `router` needs. Its chains' first rules say whose it is."""
    owner = f"{OWNED} table. Cluster: {cluster_name(spec.name)}"
    marks = [r for side in spec.sides for r in _marks(spec, side)]
    source_nat = [r for side in spec.sides for r in _source_nat(spec, side)]
    found = [NftChain("prerouting", "filter", "prerouting", _MANGLE, "accept", _owned(marks, owner))]
    if source_nat:
        found.append(NftChain("postrouting", "nat", "postrouting", _SRCNAT, "accept", _owned(source_nat, owner)))
    return OwnTable(table_name(spec.name), tuple(found))


def _owned(statements: list[list[Statement]], owner: str) -> tuple[NftRule, ...]:
    return tuple(rule(*s, comment="" if number else owner) for number, s in enumerate(statements))


def _marks(spec: ClusterSpec, side: Side) -> list[list[Statement]]:
    """Guide, "Rules for Passive Connections": all of a client's FTP traffic carries one mark."""
    mark = {"mangle": {"key": {"meta": {"key": "mark"}}, "value": spec.mark}}
    vip = _match(_ip(side), "daddr", str(side.vip))
    return [[vip, _match("tcp", "dport", _ports(port)), mark] for port in marked_ports(spec)]


def _source_nat(spec: ClusterSpec, side: Side) -> list[list[Statement]]:
    """Guide, "Rules for Active Connections". A nat chain also turns connection tracking on, which the helper needs."""
    if not spec.nat or spec.active == "none":
        return []
    way: Statement = {"masquerade": None} if spec.active == "masquerade" else {"snat": {"addr": str(side.vip)}}
    return [
        [_match(_ip(side), "saddr", _network(source)), _match("tcp", "sport", port), way]
        for source in inside(spec, side)
        for port in data_ports(spec)
    ]


def _ip(side: Side) -> str:
    return "ip6" if side.family == 6 else "ip"


def _match(protocol: str, field: str, right: Any) -> Statement:
    return {"match": {"op": "==", "left": {"payload": {"protocol": protocol, "field": field}}, "right": right}}


def _ports(text: str) -> Any:
    low, _, high = text.partition(":")
    return {"range": [int(low), int(high)]} if high else int(low)


def _network(text: str) -> Any:
    found = ip_network(text)
    if found.prefixlen == found.max_prefixlen:
        return str(found.network_address)
    return {"prefix": {"addr": str(found.network_address), "len": found.prefixlen}}


def load(own: OwnTable) -> str:
    """Input for `nft -f -` that replaces the table as a whole, in one transaction. Doing it twice is doing it once."""
    return _replaced(own.name, table_text(own.as_table))


def _replaced(name: str, lines: list[str]) -> str:
    return "\n".join([f"add table {FAMILY} {name}", f"delete table {FAMILY} {name}", *lines]) + "\n"


def unload(name: str) -> str:
    """Input for `nft -f -` that takes the table `name` away, if it is there."""
    return _replaced(_own(name), [])


def restore(before: NftRuleset | None, name: str) -> str:
    """Input for `nft -f -` that puts the table `name` back as it was in `before` (None: there was nothing).

    Rules that are not of the kinds we write, so not ours, are left out.
    """
    found = before.tables.get((FAMILY, _own(name))) if before else None
    return unload(name) if found is None else _replaced(name, table_text(found))


def _own(name: str) -> str:
    """`name` if it is the name of one of our tables. Raises SpecError."""
    return table_name(name.removeprefix(TABLE_PREFIX))


def holds(nft: NftRuleset, name: str) -> bool:
    """Whether there is a table of ours called `name`."""
    return (FAMILY, name) in nft.tables


def in_step(own: OwnTable, nft: NftRuleset) -> bool:
    """Whether the table is there exactly as wanted."""
    return nft.tables.get((FAMILY, own.name)) == own.as_table


def differences(own: OwnTable, nft: NftRuleset | None) -> tuple[str, str]:
    """(expected, found) for people; '' where there is no table."""
    found = nft.tables.get((FAMILY, own.name)) if nft else None
    there = table_text(found, writable=False) if found else []
    note = ["# the table has flags; a dormant one does nothing"] if found and found.flags else []
    return "\n".join(table_text(own.as_table)), "\n".join([*note, *there])


def path(own: OwnTable) -> str:
    """Where the table is kept over a reboot."""
    return f"{FOLDER}/{_own(own.name)}.nft"


def file_text(own: OwnTable) -> str:
    """The file's whole content; it can be loaded by itself, again and again."""
    return "\n".join([*header(own.name.removeprefix(TABLE_PREFIX)), load(own)])


def includes_ours(text: str) -> bool:
    """Whether nftables.service's file reads our folder, outside of any block and after everything is flushed."""
    depth, found = 0, False
    for line in text.splitlines():
        bare = line.split("#", 1)[0].strip()
        if depth == 0 and _FLUSH.match(bare):
            found = False
        elif depth == 0 and (match := _INCLUDE.fullmatch(bare)):
            found = found or _reads_ours(match[1] or match[2])
        depth += bare.count("{") - bare.count("}")
    return found


def _reads_ours(pattern: str) -> bool:
    """nft(8): a relative name is looked up in /etc as well."""
    full = pattern if pattern.startswith("/") else f"/etc/{pattern.removeprefix('./')}"
    return fnmatch.fnmatchcase(f"{FOLDER}/{TABLE_PREFIX}x.nft", full)


def main_text(existing: str) -> str:
    """nftables.service's file with our one include line at its end, everything else as it was."""
    if includes_ours(existing):
        return existing
    begin = existing or "#!/usr/sbin/nft -f\n"
    gap = "" if begin.endswith("\n") else "\n"
    return f"{begin}{gap}{INCLUDE_LINE}\n"


def foreign_drops(
    spec: ClusterSpec, router: RouterSpec, nft: NftRuleset, *, beside_iptables: bool = False
) -> list[tuple[str, list[str]]]:
    """Where others' base chains would lose the cluster's packets: (the chain, lines to put before its other rules).

    Judged conservatively: a rule counts as an accept only if it certainly holds for all of the packets in question.
    `beside_iptables` leaves out the tables of iptables-nft, for a router where our own chains make room there.
    """
    needs = [(side, need) for side in spec.sides for need in accepts(spec, router, side.family)]
    packets = [(need, packet) for side, need in needs for packet in nft_foreign.packets(spec, side, need)]
    found = nft_foreign.drops(packets, nft, TABLE_PREFIX)
    return [(f"chain {c.name} of table {t.family} {t.name}", lines) for t, c, lines in found
            if not (beside_iptables and nft_foreign.of_iptables(t, c))]  # fmt: skip
