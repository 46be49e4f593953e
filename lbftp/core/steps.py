"""Steps: the smallest changes to a router that make sense, as values that JSON can hold.

A step knows both ways: `params` has what is to be there and what was there before. `lbftp.core.program` turns steps
into the shell text that does or undoes them; nothing else interprets `params`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from lbftp.core.diff import Difference, Phase
from lbftp.core.observe import keepalived
from lbftp.core.observe.ipvs import Destination
from lbftp.core.observe.observed import Observed
from lbftp.core.render import iptables, saved
from lbftp.core.render.artifact import Desired, OwnChain

Params = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """`id` is unique on its router. `why` is the reason for people."""

    id: str
    kind: str
    title: str
    phase: Phase
    why: str
    params: Params

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def steps(differences: Sequence[Difference], desired: Desired, observed: Observed) -> list[Step]:
    """The steps that remove `differences`, in the order in which they are safe."""
    kinds = {d.kind for d in differences}
    return [step for build in _ORDER for step in build(kinds, differences, desired, observed)]


Builder = Callable[[set[str], Sequence[Difference], Desired, Observed], Iterator[Step]]


def _kernel(_kinds: set[str], differences: Sequence[Difference], _d: Desired, _o: Observed) -> Iterator[Step]:
    for d in differences:
        if d.kind == "module":
            why = "Rewrites the address in PASV answers and lets active data out as the VIP"
            yield Step(f"module-{d.key}", "load-module", f"Load the module {d.key}", "run", why, {"module": d.key})
        elif d.kind == "sysctl":
            params = {"key": d.key, "value": d.expected, "before": d.found}
            title = f"Set {d.key} to {d.expected}"
            yield Step(f"sysctl-{d.key}", "set-sysctl", title, "run", "Routers forward packets", params)


def _rules(kinds: set[str], _differences: Sequence[Difference], desired: Desired, observed: Observed) -> Iterator[Step]:
    if not kinds & {"chain", "jump", "leftover-chain"}:
        return
    gone = iptables.leftovers(desired.cluster, desired.chains, observed.running)
    wanted = tuple(c for c in desired.chains if not iptables.in_step(c, observed.running))
    deletions, before = iptables.restore(observed.running, [*wanted, *gone])
    params = {"text": iptables.load(wanted, gone, observed.running), "undo_jumps": deletions, "undo_text": before}
    names = ", ".join(f"{c.table} {c.name}" for c in (*wanted, *gone))
    yield Step("rules", "load-rules", "Load our iptables chains", "run", f"Marks, way out, accepts: {names}", params)


def _keepalived(kinds: set[str], _x: Sequence[Difference], desired: Desired, observed: Observed) -> Iterator[Step]:
    files = kinds & {"keepalived-file", "keepalived-include"}
    if not files and "keepalived-stopped" not in kinds:
        return
    main = observed.files.get(keepalived.MAIN)
    wanted = main_text(main or "")
    if files:
        check = {"main": wanted, "path": desired.keepalived_path, "text": desired.keepalived_text}
        why = "An unparsable file can end the daemon at a reload"
        yield Step("keepalived-check", "check-keepalived", "Have keepalived check its new files", "run", why, check)
    if "keepalived-file" in kinds:
        before = observed.files.get(desired.keepalived_path)
        yield _file(
            ("keepalived-file", "run", desired.keepalived_path),
            before,
            desired.keepalived_text,
            "Virtual service, VRRP",
        )
    if "keepalived-include" in kinds:
        yield _file(
            ("keepalived-include", "run", keepalived.MAIN), main, wanted, "One line, at the end, includes our files"
        )
    active = observed.unit("keepalived.service").active == "active"
    title = "Reload keepalived" if active else "Start keepalived"
    params = {"mark": desired.service.key.removeprefix("fwmark "), "was_active": active}
    yield Step("keepalived-reload", "reload-keepalived", title, "run", "A reload keeps running sessions", params)


def main_text(existing: str) -> str:
    """keepalived.conf with our one include line, everything else as it was."""
    if keepalived.includes_ours(existing):
        return existing
    gap = "" if existing.endswith("\n") or not existing else "\n"
    return f"{existing}{gap}{keepalived.INCLUDE_LINE}\n"


def _service(
    kinds: set[str], differences: Sequence[Difference], desired: Desired, observed: Observed
) -> Iterator[Step]:
    service = desired.service
    mark = service.key.removeprefix("fwmark ")
    reloaded = bool(kinds & {"keepalived-file", "keepalived-include", "keepalived-stopped"})
    if "service-missing" in kinds and not reloaded:
        params = {"mark": mark, **_service_params(desired), "servers": [asdict(d) for d in service.destinations]}
        why = "keepalived compares files at a reload and does not see that the kernel lost it"
        yield Step("service-add", "add-service", f"Add the virtual service {service.key}", "run", why, params)
    found = observed.services.get(service.key)
    if "service-settings" in kinds and found and not reloaded:
        before = {"scheduler": found.scheduler, "persistence": found.persistence}
        params = {"mark": mark, **_service_params(desired), "before": before}
        yield Step(
            "service-set", "set-service", f"Set the virtual service {service.key}", "run", "Changed by hand", params
        )
    if found and not reloaded:
        yield from _destinations(differences, mark, service.destinations, found.destinations)


def _service_params(desired: Desired) -> Params:
    return {"scheduler": desired.service.scheduler, "persistence": desired.service.persistence}


def _destinations(
    differences: Sequence[Difference], mark: str, wanted: Sequence[Destination], found: Sequence[Destination]
) -> Iterator[Step]:
    for d in differences:
        if d.kind == "destination-weight":
            after = next(s for s in wanted if s.address == d.key)
            before = next(s for s in found if (s.address, s.port) == (after.address, after.port))
            params = {"mark": mark, "server": asdict(after), "before": asdict(before)}
            yield Step(f"server-{d.key}", "set-server", f"Set real server {d.key}", "run", "Changed by hand", params)
        elif d.kind == "destination-unknown":
            before = next(s for s in found if f"{s.address}:{s.port}" == d.key)
            params = {"mark": mark, "server": asdict(before)}
            title = f"Take {d.key} out of the service"
            yield Step(f"server-{d.key}", "delete-server", title, "run", "It is no server of this cluster", params)


def _persist(
    kinds: set[str], differences: Sequence[Difference], desired: Desired, observed: Observed
) -> Iterator[Step]:
    if "saved-rules" in kinds:
        before = observed.files.get(desired.rules_path)
        after = saved.merge(before, desired.cluster, desired.chains, observed.running)
        yield _file(("saved-rules", "persist", desired.rules_path), before, after, "Only our chains are merged in")
    for kind, (path, content) in (("module-file", desired.module_file), ("sysctl-file", desired.sysctl_file)):
        if kind in kinds:
            yield _file((kind, "persist", path), observed.files.get(path), content, "Loaded at boot")
    for d in differences:
        if d.kind == "unit-disabled":
            params = {"unit": d.key, "before": d.found}
            yield Step(f"unit-{d.key}", "enable-unit", f"Enable {d.key}", "persist", "Started at boot", params)


def _file(place: tuple[str, Phase, str], before: str | None, after: str, why: str) -> Step:
    """The step that writes the file; `place` is (id, phase, path)."""
    id_, phase, path = place
    verb = "Create" if before is None else "Change"
    params = {"path": path, "before": before, "after": after}
    return Step(id_, "write-file", f"{verb} {path}", phase, why, params)


_ORDER: Final[tuple[Builder, ...]] = (_kernel, _rules, _keepalived, _service, _persist)


def sha256(text: str) -> str:
    """Digest of a file's text, as `sha256sum` gives it."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def touched_chains(desired: Desired, observed: Observed) -> tuple[OwnChain, ...]:
    """Every chain of the cluster, wanted or left over."""
    return (*desired.chains, *iptables.leftovers(desired.cluster, desired.chains, observed.running))
