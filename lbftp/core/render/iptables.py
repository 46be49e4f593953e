"""Our iptables chains for a cluster on a router, and the text that loads them (iptables-restore(8)).

Each chain is ours alone and is reached by one jump, so foreign rules stay where they are. Rules are written in the
normal form of `observe.iptables`, in the order in which `iptables-save` prints their parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lbftp.core.observe.iptables import Chain, Rule, Ruleset, rule
from lbftp.core.render.artifact import OwnChain
from lbftp.core.spec import ClusterSpec, RouterSpec, cluster_name

PREFIX: Final = "LBFTP-"
# The order in which tables are loaded: marks last, so that nothing is forwarded before it may pass the filter.
TABLES: Final = ("nat", "filter", "mangle")
BUILTIN: Final = {
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}


def own_name(cluster: str, suffix: str = "") -> str:
    """The chain's name: 28 characters at most, of which a cluster's name takes up to 16."""
    return f"{PREFIX}{cluster_name(cluster)}{suffix}"


def chains(spec: ClusterSpec, router: RouterSpec, running: Ruleset) -> tuple[OwnChain, ...]:
    """The chains that `router` needs. Accepts come along only where INPUT or FORWARD drop by default."""
    found = [
        OwnChain("mangle", own_name(spec.name), "PREROUTING", tuple(map(rule, _marks(spec)))),
        OwnChain("nat", own_name(spec.name), "POSTROUTING", tuple(map(rule, _masquerade(spec)))),
    ]
    if drops(running, "INPUT"):
        found.append(OwnChain("filter", own_name(spec.name, "-in"), "INPUT", tuple(map(rule, _input(spec, router)))))
    if drops(running, "FORWARD"):
        found.append(OwnChain("filter", own_name(spec.name, "-fw"), "FORWARD", tuple(map(rule, _forward(spec)))))
    return tuple(found)


def drops(running: Ruleset, chain: str) -> bool:
    """Whether the filter loses what no rule in `chain` speaks of."""
    found = running.chain("filter", chain)
    return found is not None and found.drops_by_default


def _marks(spec: ClusterSpec) -> list[str]:
    """Guide, "Rules for Passive Connections": all of a client's FTP traffic carries one mark."""
    mark = f"-j MARK --set-xmark {spec.mark:#x}/0xffffffff"
    ports = (str(spec.control_port), f"{spec.passive.low}:{spec.passive.high}")
    return [f"-d {spec.vip} -p tcp --dport {port} {mark}" for port in ports]


def _masquerade(spec: ClusterSpec) -> list[str]:
    """Guide, "Rules for Active Connections". A nat rule also turns connection tracking on, which the helper needs."""
    return [f"-s {spec.internal_network} -p tcp --sport 20 -j MASQUERADE"]


def _input(spec: ClusterSpec, router: RouterSpec) -> list[str]:
    """Packets for the VIP pass INPUT before IPVS takes them. In active mode the client's answers go to VIP:20, which
    carries no mark. The pair's VRRP and the answers to our health checks come in here as well."""
    peers = [r for r in spec.routers if r.name != router.name]
    established = "-m conntrack --ctstate ESTABLISHED -j ACCEPT"
    return [
        f"-m mark --mark {spec.mark:#x} -j ACCEPT",
        f"-d {spec.vip} -p tcp --dport 20 {established}",
        f"-s {spec.internal_network} -i {router.internal_interface} -p tcp --sport {spec.control_port} {established}",
        *(f"-s {p.public_address.ip} -i {router.public_interface} -p 112 -j ACCEPT" for p in peers),
        *(f"-s {p.internal_address.ip} -i {router.internal_interface} -p 112 -j ACCEPT" for p in peers),
    ]


def _forward(spec: ClusterSpec) -> list[str]:
    """A server's own connection from port 20 is a new forwarded connection; everything else is an answer."""
    inside, established = spec.internal_network, "-m conntrack --ctstate ESTABLISHED -j ACCEPT"
    return [
        f"-s {inside} -p tcp --sport 20 -j ACCEPT",
        f"-d {inside} -p tcp --dport 20 {established}",
        f"-s {inside} -p tcp --sport {spec.control_port} {established}",
        f"-s {inside} -p tcp --sport {spec.passive.low}:{spec.passive.high} {established}",
    ]


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


def leftovers(cluster: str, wanted: Sequence[OwnChain], ruleset: Ruleset) -> tuple[OwnChain, ...]:
    """Chains of this cluster that are there and not wanted (a filter that no longer drops by default)."""
    names = {own_name(cluster, suffix) for suffix in ("", "-in", "-fw")}
    keep = {(c.table, c.name) for c in wanted}
    return tuple(
        OwnChain(table, name, _jumped_from(table, name, ruleset), found.rules)
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


def restore(before: Ruleset, touched: Sequence[OwnChain]) -> tuple[list[tuple[str, str, str]], str]:
    """What puts our chains back as they were: (jumps to delete as (table, builtin, chain), text to load afterwards)."""
    deletions = [(c.table, c.builtin, c.name) for c in touched]
    kept = [
        OwnChain(c.table, c.name, c.builtin, found.rules)
        for c in touched
        if (found := before.chain(c.table, c.name)) is not None
    ]
    lines: list[str] = []
    for table in TABLES:
        here = [c for c in kept if c.table == table]
        if here:
            lines += [f"*{table}", *_restore_table(here, before), "COMMIT"]
    return deletions, "\n".join(lines) + "\n" if lines else ""


def _restore_table(here: Sequence[OwnChain], before: Ruleset) -> list[str]:
    lines = [f":{c.name} - [0:0]" for c in here]
    for own in here:
        lines += [_append(own.name, r) for r in own.rules]
        lines += [f"-I {own.builtin} 1 -j {own.name}"] * _jumps(own, before)
    return lines


def _append(chain: str, found: Rule) -> str:
    """`found` as it was printed: read rules carry their `-A CHAIN`, rendered ones do not."""
    return found.text if found.text.startswith("-A ") else f"-A {chain} {found.text}"
