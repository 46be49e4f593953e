"""A plan: per router the ordered steps, and the differences people read. Its digest is what they approve."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lbftp.core.diff import diff, leftovers
from lbftp.core.foreign_rules import unsaved_rules
from lbftp.core.job import REVISION
from lbftp.core.observe.iptables import Chain, Ruleset
from lbftp.core.observe.observed import Observed
from lbftp.core.problem import Problem
from lbftp.core.render import Desired, desired, iptables, nftables
from lbftp.core.render.artifact import OwnChain
from lbftp.core.spec import FAMILIES, ClusterSpec, Family, canonical
from lbftp.core.steps import Step, steps

# Lines of one text that are compared line by line.
_MANY: Final = 20_000


@dataclass(frozen=True, slots=True)
class Change:
    """One file or chain as it is and as it will be; None: not there. `diff` is a unified diff."""

    what: str
    before: str | None
    after: str | None
    diff: str


@dataclass(frozen=True, slots=True)
class RouterPlan:
    """What happens to one router. `notes` tell what is seen there and left alone."""

    router: str
    steps: tuple[Step, ...]
    changes: tuple[Change, ...]
    notes: tuple[str, ...]

    def phase(self, name: str) -> tuple[Step, ...]:
        return tuple(s for s in self.steps if s.phase == name)


@dataclass(frozen=True, slots=True)
class Plan:
    """`routers` sorted by name; the order of rolling out is decided when it happens, by who holds the VIP. `kind` is
    the kind of change; steps of other kinds than REVISION are whatever that kind's worker carries out."""

    cluster: str
    revision: str
    routers: tuple[RouterPlan, ...]
    warnings: tuple[Problem, ...] = ()
    kind: str = REVISION

    @property
    def empty(self) -> bool:
        return not any(r.steps for r in self.routers)

    @property
    def digest(self) -> str:
        """SHA-256 over revision and every step with its parameters. Differences and notes follow from them."""
        content: list[Any] = [self.cluster, self.revision]
        content.append([[r.router, [s.to_json() for s in r.steps]] for r in self.routers])
        if self.kind != REVISION:
            content.append(self.kind)
        return hashlib.sha256(canonical(content).encode()).hexdigest()

    def router(self, name: str) -> RouterPlan:
        return next(r for r in self.routers if r.router == name)


def plan(spec: ClusterSpec, observed: Mapping[str, Observed], warnings: Sequence[Problem] = ()) -> Plan:
    """The plan that brings every observed router to `spec`. The same input gives the same plan and digest."""
    routers = tuple(_router(spec, observed[name]) for name in sorted(observed))
    return Plan(spec.name, spec.digest, routers, tuple(warnings))


def _router(spec: ClusterSpec, observed: Observed) -> RouterPlan:
    wanted = desired(spec, observed)
    ordered = tuple(steps(diff(wanted, observed), wanted, observed))
    return RouterPlan(observed.router, ordered, tuple(_changes(ordered, wanted, observed)), tuple(_notes(observed)))


def _changes(ordered: Sequence[Step], wanted: Desired, observed: Observed) -> list[Change]:
    changes = []
    for step in ordered:
        if step.kind == "write-file":
            params = step.params
            changes.append(change(params["path"], params["before"], params["after"]))
        elif step.kind == "remove-file":
            changes.append(change(step.params["path"], step.params["before"], None))
        elif step.kind == "load-rules":
            changes += _chain_changes(wanted, observed, 4 if step.id == "rules" else 6)
        elif step.kind == "load-table":
            changes.append(_table_change(wanted, observed))
        else:
            changes += _small_change(step)
    return changes


def _small_change(step: Step) -> list[Change]:
    params = step.params
    if step.kind == "load-module":
        return [change(f"module {params['module']}", "not loaded\n", "loaded\n")]
    if step.kind == "set-sysctl":
        return [change(params["key"], f"{params['before']}\n", f"{params['value']}\n")]
    if step.kind == "enable-unit":
        return [change(f"unit {params['unit']}", f"{params['before']}\n", "enabled\n")]
    return []


def _table_change(wanted: Desired, observed: Observed) -> Change:
    name = nftables.table_name(wanted.cluster)
    before = nftables.restore(observed.nft, name) or None
    return change(
        f"nftables table inet {name} (running)", before, nftables.load(wanted.table) if wanted.table else None
    )


def _chain_changes(wanted: Desired, observed: Observed, family: Family) -> list[Change]:
    changes, running = [], observed.rules(family)
    for own in wanted.chains_of(family):
        if not iptables.in_step(own, running):
            after = "".join(f"-A {own.name} {r.text}\n" for r in own.rules) + f"-A {own.builtin} -j {own.name}\n"
            before = _running_text(running, own.table, own.builtin, own.name)
            changes.append(change(_running(own), before, after))
    for own in leftovers(wanted, observed, family):
        before = _running_text(running, own.table, own.builtin, own.name)
        changes.append(change(_running(own), before, None))
    return changes


def _running(own: OwnChain) -> str:
    return f"{own.table} chain {own.name} (running{', IPv6' if own.family == 6 else ''})"


def _running_text(running: Ruleset, table: str, builtin: str, name: str) -> str | None:
    found, from_ = running.chain(table, name), running.chain(table, builtin)
    if found is None:
        return None
    jumps = from_.jumps_to(name) if from_ else 0
    return _chain_text(found) + f"-A {builtin} -j {name}\n" * jumps


def _chain_text(found: Chain) -> str:
    return "".join(f"{r.text}\n" for r in found.rules)


def change(what: str, before: str | None, after: str | None) -> Change:
    """The difference between two texts of one thing."""
    old, new = (before or "").splitlines(), (after or "").splitlines()
    if max(len(old), len(new)) > _MANY:
        return Change(what, before, after, "\n".join(_coarse(old, new)))
    lines = difflib.unified_diff(old, new, "now", "after", lineterm="", n=3)
    return Change(what, before, after, "\n".join(lines))


def _coarse(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """One hunk from the first line that differs to the last one: a text of any length takes no longer than it is long,
    which difflib does not promise."""
    begin = _common(old, new)
    end = _common(old[begin:][::-1], new[begin:][::-1])
    gone, come = old[begin : len(old) - end], new[begin : len(new) - end]
    if not gone and not come:
        return []
    head = f"@@ -{begin + 1},{len(gone)} +{begin + 1},{len(come)} @@"
    return ["--- now", "+++ after", head, *_side("-", gone), *_side("+", come)]


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    """How many lines are the same at the beginning of both."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((n for n, (one, other) in pairs if one != other), min(len(old), len(new)))


def _side(sign: str, lines: Sequence[str]) -> list[str]:
    shown = [sign + line for line in lines[:_MANY]]
    return shown if len(lines) <= _MANY else [*shown, f"{sign}… {len(lines) - _MANY} lines left out"]


def _notes(observed: Observed) -> list[str]:
    """Foreign rules that run and are not saved: shown, never saved by us."""
    return [note for family in FAMILIES for note in _unsaved(observed, family)]


def _unsaved(observed: Observed, family: Family) -> list[str]:
    foreign = [f"{place.table}: {place.rule.text}" for place in unsaved_rules(observed, family)]
    if not foreign:
        return []
    path = observed.facts.saved_path(family)
    head = f"{len(foreign)} foreign rules run here and are not in {path}; they are left as they are:"
    return [head, *foreign[:50]]


def to_json(value: Plan) -> dict[str, Any]:
    """The form that is stored and shown; see ChangeRequest.plan. Steps are shown without their parameters."""
    return {
        "kind": value.kind,
        "cluster": value.cluster,
        "revision": value.revision,
        "digest": value.digest,
        "empty": value.empty,
        "routers": [_router_json(r) for r in value.routers],
        "warnings": [w.to_json() for w in value.warnings],
    }


def _router_json(router: RouterPlan) -> dict[str, Any]:
    shown = ("id", "kind", "title", "phase", "why")
    return {
        "router": router.router,
        "steps": [{key: step.to_json()[key] for key in shown} for step in router.steps],
        "differences": [
            {"what": c.what, "before": _valid(c.before), "after": _valid(c.after), "diff": _valid(c.diff)}
            for c in router.changes
        ],
        "notes": [_valid(n) for n in router.notes],
    }


def _valid(text: str | None) -> str | None:
    """Text a database takes: bytes that are not UTF-8 become a mark, for showing only."""
    return None if text is None else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
