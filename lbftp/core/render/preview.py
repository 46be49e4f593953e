"""What each router would hold for a spec, without a router to look at: for people who are still typing."""

from __future__ import annotations

from lbftp.core.observe.iptables import Chain, Ruleset
from lbftp.core.render import iptables, kernel, nftables
from lbftp.core.render.artifact import Artifact, OwnChain
from lbftp.core.render.desired import keepalived_files
from lbftp.core.spec import ClusterSpec, RouterSpec, Side

# As if the filter dropped by default, so that the accepts are seen as well.
_DROPPING = Ruleset({"filter": {name: Chain(name, "DROP") for name in ("INPUT", "FORWARD")}})


def preview(spec: ClusterSpec) -> list[Artifact]:
    """Files and rules of every router, in the order in which an administrator would make them."""
    return [found for router in spec.routers for found in _router(spec, router)]


def _router(spec: ClusterSpec, router: RouterSpec) -> list[Artifact]:
    files = [*kernel.files(spec, {}).items()]
    rules = [(_title(side), _rules(iptables.chains(spec, router, _DROPPING, side.family))) for side in spec.sides]
    table = nftables.table(spec, router)
    native = ("nftables, where the router uses it instead", nftables.load(table))
    found = [*files, *rules, native, *((f.path, f.text) for f in keepalived_files(spec, router))]
    return [Artifact(router.name, path, text) for path, text in found]


def _title(side: Side) -> str:
    program = "iptables" if side.family == 4 else "ip6tables"
    return f"{program} (accepts in the filter only where it drops by default)"


def _rules(chains: tuple[OwnChain, ...]) -> str:
    lines = []
    for own in chains:
        lines += [f"-t {own.table} -N {own.name}", f"-t {own.table} -I {own.builtin} 1 -j {own.name}"]
        lines += [f"-t {own.table} -A {own.name} {rule.text}" for rule in own.rules]
    return "\n".join(lines) + "\n"
