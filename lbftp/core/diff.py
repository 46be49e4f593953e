"""desired, observed -> differences. Verification, compliance and planning all start here, so they cannot disagree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lbftp.core import ours
from lbftp.core.observe import keepalived
from lbftp.core.observe.beside import Beside, Word
from lbftp.core.observe.ipvs import Destination, Service, mark_of
from lbftp.core.observe.observed import Observed
from lbftp.core.render import iptables, nftables
from lbftp.core.render.artifact import OwnChain, Phase
from lbftp.core.render.desired import Desired
from lbftp.core.render.kernel import DEFAULT_PORTS, HELPER
from lbftp.core.spec import Family

KINDS: Final = (
    "module", "module-ports", "helper-present", "sysctl", "chain", "jump", "leftover-chain", "table", "leftover-table",
    "keepalived-file", "script-file", "unwanted-file", "keepalived-include", "keepalived-stopped",
    "service-missing", "service-settings",
    "destination-missing", "destination-down", "destination-removed", "destination-unknown", "destination-weight",
    "sorry-server",
    "saved-rules", "modprobe-file", "module-file", "sysctl-file", "nft-file", "nft-include-file", "unit-disabled",
    "unit-masked", "keepalived-late",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as wanted. `key` names the thing; `expected` and `found` are for people ('' : nothing)."""

    kind: str
    key: str
    phase: Phase
    expected: str
    found: str


def diff(desired: Desired, observed: Observed) -> list[Difference]:
    """Every difference, in the order in which they are to be put right."""
    return [
        *_kernel(desired, observed),
        *_files(desired, observed, "modprobe"),
        *(_chains(desired, observed) if desired.table is None else ()),
        *_leftovers(desired, observed),
        *_table(desired, observed),
        *_keepalived(desired, observed),
        *(d for wanted in desired.services for d in _service(wanted, desired, observed)),
        *_persisted(desired, observed),
    ]


def _kernel(desired: Desired, observed: Observed) -> Iterator[Difference]:
    for module in desired.modules:
        if module not in observed.modules:
            yield Difference("module", module, "run", "loaded", "not loaded")
        elif module == HELPER and not set(desired.helper_ports) <= set(loaded_ports(observed)):
            wanted, found = _numbers(desired.helper_ports), _numbers(loaded_ports(observed))
            yield Difference("module-ports", module, "run", f"control ports {wanted}", f"control ports {found}")
    clash = set(desired.plain_ports) & set(loaded_ports(observed))
    if not desired.modules and clash and HELPER in observed.modules:
        yield Difference("helper-present", HELPER, "run", f"not for port {_numbers(tuple(sorted(clash)))}", "loaded")
    for key, value in desired.sysctls:
        found = observed.sysctls.get(key, "")
        if found != value:
            yield Difference("sysctl", key, "run", value, found)


def loaded_ports(observed: Observed) -> tuple[int, ...]:
    """The control ports that the loaded helper watches (its parameter pads with zeros)."""
    text = observed.module_parameters.get(f"{HELPER}.ports", "")
    ports = tuple(int(p) for p in text.split(",") if p.strip().isascii() and p.strip().isdigit() and int(p))
    return ports or DEFAULT_PORTS


def _numbers(ports: tuple[int, ...]) -> str:
    return ", ".join(map(str, ports))


def _chains(desired: Desired, observed: Observed) -> Iterator[Difference]:
    for own in desired.chains:
        running = observed.rules(own.family)
        found = iptables.present(own, running)
        if found is None or found.rules != own.rules:
            yield Difference("chain", chain_key(own), "run", rules_text(own), _found_rules(own, observed))
        builtin = running.chain(own.table, own.builtin)
        jumps = builtin.jumps_to(own.name) if builtin else 0
        if jumps != 1:
            key = f"{own.table} {own.builtin}{_v6(own.family)}"
            yield Difference("jump", key, "run", f"-j {own.name}", f"{jumps} such jumps")


def _leftovers(desired: Desired, observed: Observed) -> Iterator[Difference]:
    for family in (4, 6):
        for own in leftovers(desired, observed, family):
            yield Difference("leftover-chain", chain_key(own), "run", "", rules_text(own))


def leftovers(desired: Desired, observed: Observed, family: Family) -> tuple[OwnChain, ...]:
    """Chains of this cluster that run and are not wanted."""
    return iptables.leftovers(desired.cluster, desired.chains_of(family), observed.rules(family), family)


def chain_key(own: OwnChain) -> str:
    return f"{own.table} {own.name}{_v6(own.family)}"


def _v6(family: Family) -> str:
    return " (IPv6)" if family == 6 else ""


def _table(desired: Desired, observed: Observed) -> Iterator[Difference]:
    name = nftables.table_name(desired.cluster)
    there = observed.nft is not None and nftables.holds(observed.nft, name)
    if desired.table is None:
        if there:
            yield Difference("leftover-table", f"inet {name}", "run", "", "a native table")
    elif observed.nft is None or not nftables.in_step(desired.table, observed.nft):
        expected, found = nftables.differences(desired.table, observed.nft)
        yield Difference("table", f"inet {name}", "run", expected, found)


def rules_text(own: OwnChain) -> str:
    """A chain's rules for people, one a line."""
    return "\n".join(r.text.removeprefix(f"-A {own.name} ") for r in own.rules)


def _found_rules(own: OwnChain, observed: Observed) -> str:
    found = iptables.present(own, observed.rules(own.family))
    return "\n".join(r.text.removeprefix(f"-A {own.name} ") for r in found.rules) if found else ""


def _files(desired: Desired, observed: Observed, *kinds: str) -> Iterator[Difference]:
    for own in desired.files:
        found = observed.files.get(own.path)
        if own.kind in kinds and found != own.text:
            yield Difference(f"{own.kind}-file", own.path, own.phase, own.text, found or "")


def _keepalived(desired: Desired, observed: Observed) -> Iterator[Difference]:
    yield from _files(desired, observed, "script", "keepalived")
    for path in desired.unwanted:
        yield Difference("unwanted-file", path, "run", "", observed.files.get(path) or "")
    if not keepalived.includes_ours(observed.files.get(keepalived.MAIN) or ""):
        yield Difference("keepalived-include", keepalived.MAIN, "run", ours.INCLUDE_LINE, "")
    yield from _late(desired, observed)
    unit = observed.unit("keepalived.service")
    if unit.active != "active":
        yield Difference("keepalived-stopped", unit.name, "run", "active", unit.active or "unknown")


def _late(desired: Desired, observed: Observed) -> Iterator[Difference]:
    """Files that are as wanted, and were not when keepalived last read them, as far as their time tells."""
    own = {f.path: f.text for f in desired.of_keepalived() if f.kind == "keepalived"}
    as_wanted = all(observed.files.get(path) == text for path, text in own.items())
    if not as_wanted or not keepalived.includes_ours(observed.files.get(keepalived.MAIN) or ""):
        return
    for path in sorted({*own, keepalived.MAIN} & set(observed.beside.late)):
        found = f"changed {observed.beside.late[path]:.0f} s after that"
        yield Difference("keepalived-late", path, "run", "read by keepalived's last start or reload", found)


def _service(wanted: Service, desired: Desired, observed: Observed) -> Iterator[Difference]:
    found = observed.services.get(wanted.key)
    if found is None:
        yield Difference("service-missing", wanted.key, "run", settings(wanted), "")
        return
    if settings(found) != settings(wanted):
        yield Difference("service-settings", wanted.key, "run", settings(wanted), settings(found))
    yield from _destinations(wanted, found, desired, observed.beside)


def _destinations(wanted: Service, found: Service, desired: Desired, beside: Beside) -> Iterator[Difference]:
    by_key = {(d.address, d.port): d for d in found.destinations}
    for server in wanted.destinations:
        there = by_key.pop((server.address, server.port), None)
        word = beside.word(mark_of(wanted.key), server.address)
        if there is None or (there.weight == 0 < server.weight and not (word and word.serves)):
            # inhibit_on_failure leaves a failed server in the service, with weight 0.
            state = "not in rotation" if there is None else "in rotation with weight 0"
            yield Difference(_absent(word), server.address, "run", _server(server), state + _why(word))
        elif there != server:
            yield Difference("destination-weight", server.address, "run", _server(server), _server(there))
    for (address, port), there in sorted(by_key.items()):
        kind = "sorry-server" if address in desired.sorry else "destination-unknown"
        yield Difference(kind, f"{address}:{port}", "run", "", _server(there))


def _absent(word: Word | None) -> str:
    """Who took the server out, by what keepalived said of it last: its health check, or somebody past keepalived."""
    if word is None:
        return "destination-missing"
    return "destination-removed" if word.serves else "destination-down"


def _why(word: Word | None) -> str:
    if word is None or word.serves or not word.at:
        return ""
    return f" since {word.at}{f': {word.why}' if word.why else ''}"


def settings(service: Service) -> str:
    """Scheduler and persistence for people."""
    flags = f" with {', '.join(service.flags)}" if service.flags else ""
    mask = f" by /{service.granularity}" if service.granularity else ""
    return f"scheduler {service.scheduler}{flags}, persistence {service.persistence} s{mask}"


def _server(server: Destination) -> str:
    limits = f", thresholds {server.lower}-{server.upper}" if server.upper or server.lower else ""
    return f"{server.address}:{server.port} {server.method} weight {server.weight}{limits}"


def _persisted(desired: Desired, observed: Observed) -> Iterator[Difference]:
    for family in (4, 6):
        if not saved_in_step(desired, observed, family):
            path = observed.facts.saved_path(family)
            wanted = "\n".join(f"[{c.table} {c.name}]\n{rules_text(c)}" for c in desired.chains_of(family))
            yield Difference("saved-rules", path, "persist", wanted, _saved_of(desired, observed, family))
    yield from _files(desired, observed, "module", "sysctl", "nft", "nft-include")
    for name in desired.units:
        unit = observed.unit(name)
        if unit.masked:
            yield Difference("unit-masked", name, "persist", "enabled", unit.enabled)
        elif not unit.starts_at_boot:
            yield Difference("unit-disabled", name, "persist", "enabled", unit.enabled or "missing")


def saved_in_step(desired: Desired, observed: Observed, family: Family) -> bool:
    """Whether the saved rules hold exactly the wanted chains of this cluster."""
    saved, wanted = observed.saved_rules(family), desired.chains_of(family)
    if iptables.leftovers(desired.cluster, wanted, saved, family):
        return False
    return all(iptables.in_step(own, saved) for own in wanted)


def _saved_of(desired: Desired, observed: Observed, family: Family) -> str:
    """What the saved file has of our chains."""
    parts = []
    for own in desired.chains_of(family):
        if found := observed.saved_rules(family).chain(own.table, own.name):
            rules = "\n".join(r.text.removeprefix(f"-A {own.name} ") for r in found.rules)
            parts.append(f"[{own.table} {own.name}]\n{rules}")
    return "\n".join(parts)
