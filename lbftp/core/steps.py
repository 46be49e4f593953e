"""Steps: the smallest changes to a router that make sense, as values that JSON can hold.

A step knows both ways: `params` has what is to be there and what was there before. `lbftp.core.program` turns steps
into the shell text that does or undoes them; nothing else interprets `params`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from lbftp.core import ours
from lbftp.core.diff import Difference, leftovers
from lbftp.core.observe import keepalived
from lbftp.core.observe.ipvs import Destination, Service
from lbftp.core.observe.observed import Observed
from lbftp.core.render import iptables, nftables, saved
from lbftp.core.render.artifact import OwnChain, OwnFile, Phase
from lbftp.core.render.desired import Desired
from lbftp.core.spec import FAMILIES, Family

Params = dict[str, Any]
# Differences after which keepalived has to read its files anew.
_RELOADING: Final = frozenset(
    {"keepalived-file", "script-file", "unwanted-file", "keepalived-include", "keepalived-late", "keepalived-stopped"}
)


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


def _kernel(kinds: set[str], differences: Sequence[Difference], desired: Desired, observed: Observed) -> Iterator[Step]:
    if "modprobe-file" in kinds:
        yield from _files(differences, desired, observed, "modprobe-file")
    for d in differences:
        if d.kind == "module":
            why = "Rewrites the address in PASV answers and lets active data out as the VIP"
            yield Step(f"module-{d.key}", "load-module", f"Load the module {d.key}", "run", why, {"module": d.key})
        elif d.kind == "module-ports":
            why = f"It learns its ports only when it is loaded: {d.expected}"
            yield Step(f"module-{d.key}", "reload-module", f"Load {d.key} again", "run", why, {"module": d.key})
        elif d.kind == "sysctl":
            params = {"key": d.key, "value": d.expected, "before": d.found}
            title = f"Set {d.key} to {d.expected}"
            yield Step(f"sysctl-{d.key}", "set-sysctl", title, "run", "Routers forward packets", params)


def _rules(kinds: set[str], differences: Sequence[Difference], desired: Desired, observed: Observed) -> Iterator[Step]:
    if kinds & {"table", "leftover-table"}:
        yield _native(desired, observed)
    for family in FAMILIES:
        gone = leftovers(desired, observed, family)
        wanted = desired.chains_of(family)
        if gone or _out_of_step(wanted, differences):
            yield chains(wanted, gone, observed, family)


def _out_of_step(wanted: Sequence[OwnChain], differences: Sequence[Difference]) -> bool:
    mine = {(c.family, c.table) for c in wanted}
    return any(
        d.kind in {"chain", "jump"} and (6 if d.key.endswith("(IPv6)") else 4, d.key.split(" ", 1)[0]) in mine
        for d in differences
    )


def chains(wanted: Sequence[OwnChain], gone: Sequence[OwnChain], observed: Observed, family: Family) -> Step:
    """The step that brings our chains of one IP version to exactly `wanted`; `gone` are those that go."""
    running = observed.rules(family)
    deletions, before = iptables.restore(running, wanted, gone)
    program = "iptables" if family == 4 else "ip6tables"
    text = iptables.load(wanted, gone, running)
    params = {"text": text, "undo_jumps": deletions, "undo_text": before, "program": program}
    names = ", ".join(f"{c.table} {c.name}" for c in (*wanted, *gone))
    id_ = "rules" if family == 4 else "rules6"
    return Step(id_, "load-rules", f"Load our {program} chains", "run", f"Marks, way out, accepts: {names}", params)


def _native(desired: Desired, observed: Observed) -> Step:
    """Our native table comes or goes in one transaction."""
    name = nftables.table_name(desired.cluster)
    after = nftables.load(desired.table) if desired.table else nftables.unload(name)
    params = {"text": after, "undo_text": nftables.restore(observed.nft, name)}
    verb = "Load" if desired.table else "Remove"
    return Step("table", "load-table", f"{verb} our nftables table", "run", "Marks, way out", params)


def _keepalived(
    kinds: set[str], differences: Sequence[Difference], desired: Desired, observed: Observed
) -> Iterator[Step]:
    here = {d.kind for d in differences if d.phase == "run"} & _RELOADING
    main = observed.files.get(keepalived.MAIN)
    wanted = main_text(main or "")
    if kinds & (_RELOADING - {"keepalived-stopped"}):
        own = {f.path: f.text for f in desired.of_keepalived()}
        check = {"main": wanted, "files": own, "gone": list(desired.unwanted)}
        why = "An unparsable file can end the daemon at a reload"
        yield Step("keepalived-check", "check-keepalived", "Have keepalived check its new files", "run", why, check)
    yield from _files(differences, desired, observed, "script-file", "keepalived-file", phase="run")
    for path in desired.unwanted:
        params = {"path": path, "before": observed.files.get(path), "mode": 0o755 if path.endswith(".check") else 0o644}
        yield Step(f"remove-{path}", "remove-file", f"Remove {path}", "run", "The cluster no longer needs it", params)
    if "keepalived-include" in kinds:
        params = {"path": keepalived.MAIN, "before": main, "after": wanted}
        title = f"{'Create' if main is None else 'Change'} {keepalived.MAIN}"
        why = "One line, at the end, includes our files"
        yield Step("keepalived-include", "write-file", title, "run", why, params)
    if here:
        yield _reload("keepalived-reload", "run", desired, observed)


def _reload(id_: str, phase: Phase, desired: Desired, observed: Observed) -> Step:
    active = observed.unit("keepalived.service").active == "active"
    params: Params = {"services": [s.key for s in desired.services], "was_active": active}
    title = "Reload keepalived" if active else "Start keepalived"
    return Step(id_, "reload-keepalived", title, phase, "A reload keeps running sessions", params)


def _join(_kinds: set[str], differences: Sequence[Difference], desired: Desired, observed: Observed) -> Iterator[Step]:
    """The cluster's instance runs by itself on both routers; now it joins the group that is there."""
    if not any(d.phase == "join" for d in differences):
        return
    params: Params = {"vips": list(desired.vips), "floating": list(desired.floating)}
    why = "Joined before, it would take the group's other addresses down for some seconds"
    yield Step("group-wait", "await-group", "Wait until the VIP is where the group is", "join", why, params)
    yield from _files(differences, desired, observed, "keepalived-file", phase="join")
    yield _reload("keepalived-join", "join", desired, observed)


def main_text(existing: str) -> str:
    """keepalived.conf with our one include line, everything else as it was."""
    if keepalived.includes_ours(existing):
        return existing
    gap = "" if existing.endswith("\n") or not existing else "\n"
    return f"{existing}{gap}{ours.INCLUDE_LINE}\n"


def _services(
    kinds: set[str], differences: Sequence[Difference], desired: Desired, observed: Observed
) -> Iterator[Step]:
    """What keepalived does not see: it compares files at a reload, and not the kernel."""
    if kinds & {"keepalived-file", "unwanted-file", "keepalived-include", "keepalived-stopped"}:
        return
    for service in desired.services:
        here = {(d.kind, d.key) for d in differences}
        found = observed.services.get(service.key)
        if ("service-missing", service.key) in here:
            params = {"key": service.key, **_settings(service), "servers": [asdict(d) for d in service.destinations]}
            why = "keepalived compares files at a reload and does not see that the kernel lost it"
            title = f"Add the virtual service {service.key}"
            yield Step(_id("service-add", service), "add-service", title, "run", why, params)
        if found and ("service-settings", service.key) in here:
            params = {"key": service.key, **_settings(service), "before": _settings(found)}
            title = f"Set the virtual service {service.key}"
            yield Step(_id("service-set", service), "set-service", title, "run", "Changed by hand", params)
        if found:
            yield from _destinations(differences, service.key, service.destinations, found.destinations)


def _id(verb: str, service: Service) -> str:
    return verb + ("6" if service.key.endswith(" v6") else "")


def _settings(service: Service) -> Params:
    return {
        "scheduler": service.scheduler,
        "persistence": service.persistence,
        "granularity": service.granularity,
        "flags": list(service.flags),
    }


def _destinations(
    differences: Sequence[Difference], key: str, wanted: Sequence[Destination], found: Sequence[Destination]
) -> Iterator[Step]:
    for d in differences:
        if d.kind == "destination-weight" and (after := next((s for s in wanted if s.address == d.key), None)):
            before = next(s for s in found if (s.address, s.port) == (after.address, after.port))
            params = {"key": key, "server": asdict(after), "before": asdict(before)}
            yield Step(f"server-{d.key}", "set-server", f"Set real server {d.key}", "run", "Changed by hand", params)
        elif d.kind == "destination-removed" and (after := next((s for s in wanted if s.address == d.key), None)):
            params = {"key": key, "server": asdict(after)}
            why = "Somebody took it out past keepalived, which does not look at the kernel"
            yield Step(f"server-{d.key}", "add-server", f"Add real server {d.key}", "run", why, params)
        elif d.kind == "destination-unknown" and (
            gone := next((s for s in found if f"{s.address}:{s.port}" == d.key), None)
        ):
            params = {"key": key, "server": asdict(gone)}
            title = f"Take {d.key} out of the service"
            yield Step(f"server-{d.key}", "delete-server", title, "run", "It is no server of this cluster", params)


def _persist(
    _kinds: set[str], differences: Sequence[Difference], desired: Desired, observed: Observed
) -> Iterator[Step]:
    paths = {d.key for d in differences if d.kind == "saved-rules"}
    for family in FAMILIES:
        path = observed.facts.saved_path(family)
        if path in paths:
            before = observed.files.get(path)
            after = saved.merge(before, desired.cluster, desired.chains_of(family), observed.rules(family))
            id_ = "saved-rules" if family == 4 else "saved-rules6"
            params = {"path": path, "before": before, "after": after}
            title = f"{'Create' if before is None else 'Change'} {path}"
            yield Step(id_, "write-file", title, "persist", "Only our chains are merged in", params)
    yield from _files(differences, desired, observed, "module-file", "sysctl-file", "nft-file", "nft-include-file")
    for d in differences:
        if d.kind == "unit-disabled":
            params = {"unit": d.key, "before": d.found}
            yield Step(f"unit-{d.key}", "enable-unit", f"Enable {d.key}", "persist", "Started at boot", params)


def _files(
    differences: Sequence[Difference], desired: Desired, observed: Observed, *kinds: str, phase: Phase | None = None
) -> Iterator[Step]:
    """A step for each file of ours that differs, in the order of `kinds`, then as rendered; only those of `phase`."""
    out_of_step = {(d.kind, d.key) for d in differences if phase in {None, d.phase}}
    for kind in kinds:
        for own in desired.files:
            if f"{own.kind}-file" == kind and (kind, own.path) in out_of_step:
                yield _write(kind, own, observed.files.get(own.path))


def _write(kind: str, own: OwnFile, before: str | None) -> Step:
    verb = "Create" if before is None else "Change"
    params = {"path": own.path, "before": before, "after": own.text, "mode": own.mode}
    return Step(f"{kind}:{own.path}", "write-file", f"{verb} {own.path}", own.phase, own.why, params)


_ORDER: Final[tuple[Builder, ...]] = (_kernel, _rules, _keepalived, _services, _join, _persist)


def sha256(text: str) -> str:
    """Digest of a file's text, as `sha256sum` gives it."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
