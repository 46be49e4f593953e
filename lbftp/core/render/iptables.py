"""Our iptables chains for a cluster on a router, and the text that loads them (iptables-restore(8)).

IPv4 and IPv6 have each a rule set of their own (iptables, ip6tables); a function here is about one of them.
Each chain is ours alone and is reached by one jump, so foreign rules stay where they are. Rules are written in the
normal form of `observe.iptables`, in the order in which `iptables-save` prints their parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lbftp.core.observe.iptables import ENDS, Chain, Rule, Ruleset, rule
from lbftp.core.ours import CHAIN_PREFIX
from lbftp.core.promise import data_ports
from lbftp.core.render.accepts import Place, accepts, as_iptables, inside, marked_ports, side_of
from lbftp.core.render.artifact import OwnChain
from lbftp.core.spec import ClusterSpec, Family, RouterSpec, Side, cluster_name

# The order in which tables are loaded: marks last, so that nothing is forwarded before it may pass the filter.
TABLES: Final = ("nat", "filter", "mangle")
BUILTIN: Final = {
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}
# The chain of the filter table where packets may be lost, and the end of our chain's name.
PLACES: Final[dict[Place, str]] = {"INPUT": "-in", "FORWARD": "-fw", "OUTPUT": "-out"}
SUFFIXES: Final = ("", *PLACES.values())


def own_name(cluster: str, suffix: str = "") -> str:
    """The chain's name: 28 characters at most (iptables(8)), of which a cluster's name takes up to 16."""
    return f"{CHAIN_PREFIX}{cluster_name(cluster)}{suffix}"


def chains(spec: ClusterSpec, router: RouterSpec, running: Ruleset, family: Family = 4) -> tuple[OwnChain, ...]:
    """The chains that `router` needs over one IP version of the cluster, of which `running` are the rules.

    Accepts come along only where INPUT, FORWARD or OUTPUT drop by default. Raises ValueError for an IP version that
    the cluster does not have.
    """
    side = side_of(spec, family)
    texts = {("mangle", "", "PREROUTING"): _marks(spec, side), ("nat", "", "POSTROUTING"): _source_nat(spec, side)}
    wanted = accepts(spec, router, family)
    for place, suffix in PLACES.items():
        if drops(running, place):
            texts["filter", suffix, place] = [as_iptables(a) for a in wanted if a.place == place]
    return tuple(
        OwnChain(table, own_name(spec.name, suffix), builtin, tuple(map(rule, lines)), family)
        for (table, suffix, builtin), lines in texts.items()
        if lines
    )


def drops(running: Ruleset, chain: str) -> bool:
    """Whether the filter loses what no rule in `chain` speaks of, there or in a chain that everything is sent to."""
    found = running.chain("filter", chain)
    return found is not None and (found.policy in ENDS or _ends_in_a_drop(running, found, frozenset()))


def _ends_in_a_drop(running: Ruleset, chain: Chain, seen: frozenset[str]) -> bool:
    for found in chain.rules:
        if not found.unconditional:
            continue
        if found.target in ENDS:
            return True
        if found.target in {"ACCEPT", "RETURN"}:
            return False
        inner = running.chain("filter", found.target)
        if inner and inner.name not in seen and _ends_in_a_drop(running, inner, seen | {chain.name}):
            return True
    return False


def _marks(spec: ClusterSpec, side: Side) -> list[str]:
    """Guide, "Rules for Passive Connections": all of a client's FTP traffic carries one mark."""
    mark = f"-j MARK --set-xmark {spec.mark:#x}/0xffffffff"
    return [f"-d {side.vip} -p tcp --dport {port} {mark}" for port in marked_ports(spec)]


def _source_nat(spec: ClusterSpec, side: Side) -> list[str]:
    """Guide, "Rules for Active Connections". A nat rule also turns connection tracking on, which the helper needs."""
    if not spec.nat or spec.active == "none":
        return []
    way = "MASQUERADE" if spec.active == "masquerade" else f"SNAT --to-source {side.vip}"
    return [f"-s {s} -p tcp --sport {port:d} -j {way}" for s in inside(spec, side) for port in data_ports(spec)]


def load(wanted: Sequence[OwnChain], unwanted: Sequence[OwnChain], running: Ruleset) -> str:
    """Input for `iptables-restore --noflush` that brings exactly our chains and jumps to what is wanted.

    A declared chain of ours is emptied and filled in the same commit; a jump is added first or thinned out to one.
    `unwanted` are chains of ours that go.
    """
    lines: list[str] = []
    for table in TABLES:
        here = [c for c in wanted if c.table == table]
        gone = [c for c in unwanted if c.table == table]
        if here or gone:
            lines += [f"*{table}", *_load_table(here, gone, running), "COMMIT"]
    return "\n".join(lines) + "\n" if lines else ""


def _load_table(here: Sequence[OwnChain], gone: Sequence[OwnChain], running: Ruleset) -> list[str]:
    lines = [f":{c.name} - [0:0]" for c in (*here, *gone)]
    for own in here:
        lines += [f"-A {own.name} {r.text}" for r in own.rules]
        lines += _jump_lines(own, _jumps(own, running), 1)
    for own in gone:
        lines += [*_jump_lines(own, _jumps(own, running), 0), f"-X {own.name}"]
    return lines


def _jumps(own: OwnChain, running: Ruleset) -> int:
    found = running.chain(own.table, own.builtin)
    return found.jumps_to(own.name) if found else 0


def _jump_lines(own: OwnChain, now: int, wanted: int) -> list[str]:
    if now == 0 and wanted:
        return [f"-I {own.builtin} 1 -j {own.name}"]
    return [f"-D {own.builtin} -j {own.name}"] * max(0, now - wanted)


def present(own: OwnChain, ruleset: Ruleset) -> Chain | None:
    """Our chain as `ruleset` has it."""
    return ruleset.chain(own.table, own.name)


def in_step(own: OwnChain, ruleset: Ruleset) -> bool:
    """Whether the chain and its one jump are there as wanted."""
    found = present(own, ruleset)
    return found is not None and found.rules == own.rules and _jumps(own, ruleset) == 1


def own_names(cluster: str) -> frozenset[str]:
    """Every name that a chain of the cluster may have."""
    return frozenset(own_name(cluster, suffix) for suffix in SUFFIXES)


def leftovers(cluster: str, wanted: Sequence[OwnChain], ruleset: Ruleset, family: Family = 4) -> tuple[OwnChain, ...]:
    """Chains of this cluster that are there and not wanted (a filter that no longer drops by default)."""
    names = own_names(cluster)
    keep = {(c.table, c.name) for c in wanted}
    return tuple(
        OwnChain(table, name, _jumped_from(table, name, ruleset), found.rules, family)
        for table, found_chains in ruleset.tables.items()
        for name, found in found_chains.items()
        if name in names and (table, name) not in keep
    )


def _jumped_from(table: str, name: str, ruleset: Ruleset) -> str:
    for builtin in BUILTIN.get(table, ()):
        found = ruleset.chain(table, builtin)
        if found and found.jumps_to(name):
            return builtin
    return BUILTIN.get(table, ("INPUT",))[0]


def restore(
    before: Ruleset, wanted: Sequence[OwnChain], gone: Sequence[OwnChain] = ()
) -> tuple[list[tuple[str, str, str]], str]:
    """What puts our chains back as they were: (jumps to delete as (table, builtin, chain), text to load afterwards).

    A chain that keeps its one jump is only filled again, so that the jump stays where it is among foreign rules.
    """
    fixed = [c for c in wanted if before.chain(c.table, c.name) is not None and _jumps(c, before) == 1]
    moved = [c for c in (*wanted, *gone) if c not in fixed]
    lines: list[str] = []
    for table in TABLES:
        here = [*_refilled(table, fixed, before), *_made_again(table, moved, before)]
        if here:
            lines += [f"*{table}", *here, "COMMIT"]
    return [(c.table, c.builtin, c.name) for c in moved], "\n".join(lines) + "\n" if lines else ""


def _refilled(table: str, chains: Sequence[OwnChain], before: Ruleset) -> list[str]:
    lines = []
    for own in chains:
        found = before.chain(own.table, own.name)
        if own.table == table and found is not None:
            lines += [f":{own.name} - [0:0]", *(_append(own.name, r) for r in found.rules)]
    return lines


def _made_again(table: str, chains: Sequence[OwnChain], before: Ruleset) -> list[str]:
    lines = []
    for own in chains:
        filled = _refilled(table, [own], before)
        lines += [*filled, *([f"-I {own.builtin} 1 -j {own.name}"] * _jumps(own, before) if filled else [])]
    return lines


def _append(chain: str, found: Rule) -> str:
    """`found` as it was printed: read rules carry their `-A CHAIN`, rendered ones do not."""
    return found.text if found.text.startswith("-A ") else f"-A {chain} {found.text}"
