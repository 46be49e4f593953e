"""The running system on the way back: rules, native table, kernel, units, keepalived."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lbftp.core import ours
from lbftp.core.diff import diff, loaded_ports
from lbftp.core.observe import keepalived
from lbftp.core.observe.iptables import parse
from lbftp.core.plan import change
from lbftp.core.render import desired, iptables, nftables
from lbftp.core.render.artifact import OwnChain
from lbftp.core.render.kernel import HELPER
from lbftp.core.rollback.files import own_chains
from lbftp.core.rollback.way import SINCE, Way
from lbftp.core.spec import FAMILIES, Family
from lbftp.core.steps import Params, Step, chains

_RULES: Final = frozenset({"chain", "jump", "leftover-chain", "table", "leftover-table"})


def untouched(way: Way) -> None:
    """A problem for each of our own chains and tables that somebody changed since: nothing of it is overwritten."""
    for found in diff(desired(way.spec, way.observed), way.observed):
        if found.kind in _RULES:
            reason = f"the running rules of {found.key} are not as the last change left them."
            way.problem(SINCE, reason, "Comply with the cluster and put drift right first, then plan again.")


def rules(way: Way) -> list[Step]:
    """Our chains and our native table as they were."""
    found = [step for family in FAMILIES if (step := _chains(way, family))]
    return [*found, *_table(way)]


def _chains(way: Way, family: Family) -> Step | None:
    step = way.firsts("load-rules", "program").get("iptables" if family == 4 else "ip6tables")
    if step is None:
        return None
    running = way.observed.rules(family)
    wanted = own_chains(way.spec.name, parse(step.params["undo_text"], "a checkpoint"), family, running)
    gone = iptables.leftovers(way.spec.name, wanted, running, family)
    if not gone and all(iptables.in_step(own, running) for own in wanted):
        return None
    for own in (*wanted, *gone):
        after = own if own in wanted else None
        if after is None or not iptables.in_step(after, running):
            way.changes.append(change(_title(own), _running(way, own), _text(after) if after else None))
    return chains(wanted, gone, way.observed, family)


def _title(own: OwnChain) -> str:
    return f"{own.table} chain {own.name} (running{', IPv6' if own.family == 6 else ''})"


def _text(own: OwnChain) -> str:
    return "".join(f"-A {own.name} {r.text}\n" for r in own.rules) + f"-A {own.builtin} -j {own.name}\n"


def _running(way: Way, own: OwnChain) -> str | None:
    found = [c for c in own_chains(way.spec.name, way.observed.rules(own.family), own.family) if c.name == own.name]
    return next((_text(c) for c in found if c.table == own.table), None)


def _table(way: Way) -> list[Step]:
    undone = [s for r in way.own if not r.repair for s in r.steps if s.kind == "load-table"]
    if not undone:
        return []
    name = nftables.table_name(way.spec.name)
    now, target = nftables.restore(way.observed.nft, name), undone[-1].params["undo_text"] or nftables.unload(name)
    if now == target:
        return []
    way.changes.append(change(f"nftables table inet {name} (running)", now, target))
    why = "As it was before"
    return [Step("table", "load-table", "Put our nftables table back", "run", why, {"text": target, "undo_text": now})]


def kernel(way: Way) -> list[Step]:
    """Module and sysctls, unless what remains here needs them."""
    return [*_modules(way), *_sysctls(way)]


def _modules(way: Way) -> list[Step]:
    found = []
    for module in way.firsts("load-module", "module"):
        if module not in way.observed.modules:
            continue
        if way.strangers or any(module in wanted.modules for wanted in way.needed):
            way.kept(f"the module {module}")
            continue
        why = "It was not loaded before; in use by sessions it stays, and does no harm"
        found.append(Step(f"module-{module}", "unload-module", f"Unload {module}", "run", why, {"module": module}))
        way.changes.append(change(f"module {module}", "loaded\n", "not loaded\n"))
    wanted_ports = {p for wanted in way.needed for p in wanted.helper_ports}
    if not found and HELPER in way.observed.modules and not wanted_ports <= set(loaded_ports(way.observed)):
        why = "It learns its ports only when it is loaded"
        found.append(Step("module-again", "reload-module", f"Load {HELPER} again", "run", why, {"module": HELPER}))
    return found


def _sysctls(way: Way) -> list[Step]:
    found = []
    for key, step in way.firsts("set-sysctl", "key").items():
        now, target = way.observed.sysctls.get(key, ""), step.params["before"]
        if now == target:
            continue
        if way.strangers or any(k == key and v == now for wanted in way.needed for k, v in wanted.sysctls):
            way.kept(key)
        elif now != step.params["value"]:
            way.problem(SINCE, f"{key} was changed by somebody since and is {now}.", "Put it back, then plan again.")
        else:
            params = {"key": key, "value": target, "before": now}
            found.append(Step(f"sysctl-{key}", "set-sysctl", f"Set {key} to {target}", "run", "As before", params))
            way.changes.append(change(key, f"{now}\n", f"{target}\n"))
    return found


def units(way: Way) -> list[Step]:
    found = []
    for unit, step in way.firsts("enable-unit", "unit").items():
        if step.params["before"] != "disabled" or way.observed.unit(unit).enabled != "enabled":
            continue
        if way.strangers or any(unit in wanted.units for wanted in way.needed):
            way.kept(f"the unit {unit}, enabled,")
            continue
        params = {"unit": unit, "before": "enabled"}
        found.append(Step(f"unit-{unit}", "disable-unit", f"Disable {unit}", "persist", "As before", params))
        way.changes.append(change(f"unit {unit}", "enabled\n", "disabled\n"))
    return found


def check_keepalived(way: Way, made: Sequence[Step]) -> list[Step]:
    """keepalived judges its files as they will be."""
    params = {s.params["path"]: s.params.get("after") for s in made}
    main = params.get(keepalived.MAIN, way.observed.files.get(keepalived.MAIN))
    if main is None:
        return []
    inside = {p: text for p, text in params.items() if p.startswith(f"{ours.INCLUDE_DIR}/")}
    check: Params = {
        "main": main,
        "files": {p: text for p, text in inside.items() if text is not None},
        "gone": [p for p, text in inside.items() if text is None],
    }
    why = "An unparsable file can end the daemon at a reload"
    return [Step("keepalived-check", "check-keepalived", "Have keepalived check its new files", "run", why, check)]


def reload_keepalived(way: Way) -> Step:
    """A reload; a stop where it did not run before and nothing remains that needs it."""
    reloads = [s for r in way.own if not r.repair for s in r.steps if s.kind == "reload-keepalived"]
    ran = not reloads or reloads[-1].params["was_active"]
    stop = not ran and not way.needed and not way.strangers
    target = desired(way.to, way.observed) if way.to else None
    active = way.observed.unit("keepalived.service").active == "active"
    params: Params = {"services": [s.key for s in target.services] if target else [], "was_active": active}
    if stop:
        return Step(
            "keepalived-stop", "reload-keepalived", "Stop keepalived", "run", "As before", {**params, "stop": True}
        )
    return Step("keepalived-reload", "reload-keepalived", "Reload keepalived", "run", "A reload keeps sessions", params)
