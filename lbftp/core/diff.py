"""desired, observed -> differences. Verification, compliance and planning all start here, so they cannot disagree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from lbftp.core.observe import keepalived
from lbftp.core.observe.ipvs import Destination, Service
from lbftp.core.observe.observed import Observed
from lbftp.core.observe.program import MODULE_FILE, SYSCTL_FILE
from lbftp.core.render import iptables
from lbftp.core.render.artifact import Desired, OwnChain

Phase = Literal["run", "persist"]
KINDS: Final = (
    "module", "sysctl", "chain", "jump", "leftover-chain",
    "keepalived-file", "keepalived-include", "keepalived-stopped",
    "service-missing", "service-settings", "destination-missing", "destination-unknown", "destination-weight",
    "saved-rules", "module-file", "sysctl-file", "unit-disabled",
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
        *_chains(desired, observed),
        *_keepalived(desired, observed),
        *_service(desired, observed),
        *_persisted(desired, observed),
    ]


def _kernel(desired: Desired, observed: Observed) -> Iterator[Difference]:
    for module in desired.modules:
        if module not in observed.modules:
            yield Difference("module", module, "run", "loaded", "not loaded")
    for key, value in desired.sysctls:
        found = observed.sysctls.get(key, "")
        if found != value:
            yield Difference("sysctl", key, "run", value, found)


def _chains(desired: Desired, observed: Observed) -> Iterator[Difference]:
    for own in desired.chains:
        found = iptables.present(own, observed.running)
        if found is None or found.rules != own.rules:
            yield Difference("chain", f"{own.table} {own.name}", "run", rules_text(own), _found_rules(own, observed))
        builtin = observed.running.chain(own.table, own.builtin)
        jumps = builtin.jumps_to(own.name) if builtin else 0
        if jumps != 1:
            yield Difference("jump", f"{own.table} {own.builtin}", "run", f"-j {own.name}", f"{jumps} such jumps")
    for own in iptables.leftovers(desired.cluster, desired.chains, observed.running):
        yield Difference("leftover-chain", f"{own.table} {own.name}", "run", "", rules_text(own))


def rules_text(own: OwnChain) -> str:
    """A chain's rules for people, one a line."""
    return "\n".join(r.text.removeprefix(f"-A {own.name} ") for r in own.rules)


def _found_rules(own: OwnChain, observed: Observed) -> str:
    found = iptables.present(own, observed.running)
    return "\n".join(r.text.removeprefix(f"-A {own.name} ") for r in found.rules) if found else ""


def _keepalived(desired: Desired, observed: Observed) -> Iterator[Difference]:
    text = observed.files.get(desired.keepalived_path)
    if text != desired.keepalived_text:
        yield Difference("keepalived-file", desired.keepalived_path, "run", desired.keepalived_text, text or "")
    if not keepalived.includes_ours(observed.files.get(keepalived.MAIN) or ""):
        yield Difference("keepalived-include", keepalived.MAIN, "run", keepalived.INCLUDE_LINE, "")
    unit = observed.unit("keepalived.service")
    if unit.active != "active":
        yield Difference("keepalived-stopped", unit.name, "run", "active", unit.active or "unknown")


def _service(desired: Desired, observed: Observed) -> Iterator[Difference]:
    wanted, found = desired.service, observed.services.get(desired.service.key)
    if found is None:
        yield Difference("service-missing", wanted.key, "run", settings(wanted), "")
        return
    if (found.scheduler, found.persistence) != (wanted.scheduler, wanted.persistence):
        yield Difference("service-settings", wanted.key, "run", settings(wanted), settings(found))
    yield from _destinations(wanted, found)


def _destinations(wanted: Service, found: Service) -> Iterator[Difference]:
    by_key = {(d.address, d.port): d for d in found.destinations}
    for server in wanted.destinations:
        there = by_key.pop((server.address, server.port), None)
        if there is None:
            yield Difference("destination-missing", server.address, "run", _server(server), "not in rotation")
        elif there != server:
            yield Difference("destination-weight", server.address, "run", _server(server), _server(there))
    for (address, port), there in sorted(by_key.items()):
        yield Difference("destination-unknown", f"{address}:{port}", "run", "", _server(there))


def settings(service: Service) -> str:
    """Scheduler and persistence for people."""
    return f"scheduler {service.scheduler}, persistence {service.persistence} s"


def _server(server: Destination) -> str:
    return f"{server.address}:{server.port} {server.method} weight {server.weight}"


def _persisted(desired: Desired, observed: Observed) -> Iterator[Difference]:
    saved = observed.files.get(desired.rules_path)
    leftovers = iptables.leftovers(desired.cluster, desired.chains, observed.saved)
    if leftovers or not all(iptables.in_step(own, observed.saved) for own in desired.chains):
        wanted = "\n".join(f"[{c.table} {c.name}]\n{rules_text(c)}" for c in desired.chains)
        yield Difference(
            "saved-rules", desired.rules_path, "persist", wanted, _saved_of(desired, observed) if saved else ""
        )
    path, content = desired.module_file
    if observed.files.get(path) != content:
        yield Difference("module-file", MODULE_FILE, "persist", content, observed.files.get(path) or "")
    path, content = desired.sysctl_file
    if observed.files.get(path) != content:
        yield Difference("sysctl-file", SYSCTL_FILE, "persist", content, observed.files.get(path) or "")
    for name in desired.units:
        unit = observed.unit(name)
        if not unit.starts_at_boot:
            yield Difference("unit-disabled", name, "persist", "enabled", unit.enabled or "missing")


def _saved_of(desired: Desired, observed: Observed) -> str:
    """What the saved file has of our chains."""
    parts = []
    for own in desired.chains:
        if found := observed.saved.chain(own.table, own.name):
            rules = "\n".join(r.text.removeprefix(f"-A {own.name} ") for r in found.rules)
            parts.append(f"[{own.table} {own.name}]\n{rules}")
    return "\n".join(parts)
