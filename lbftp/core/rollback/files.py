"""Files on the way back: each as it was before the oldest change, if it still is as the newest one left it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lbftp.core.observe.iptables import Ruleset, parse
from lbftp.core.plan import change
from lbftp.core.render import iptables, saved
from lbftp.core.render.artifact import OwnChain
from lbftp.core.rollback.record import Record
from lbftp.core.rollback.way import OTHER, SINCE, Way
from lbftp.core.spec import FAMILIES, Family
from lbftp.core.steps import Step


@dataclass(slots=True)
class _File:
    """`left`: the text that the newest change left, None for no file; `writer` made that change."""

    step: Step
    left: str | None
    writer: Record
    target: str | None = None
    undone: bool = False


def files(way: Way) -> list[Step]:
    """The steps, in the order of paths. Files that somebody changed since are problems and not steps."""
    found = _found(way)
    made = [_step(way, path, found[path]) for path in sorted(found) if found[path].undone]
    return [step for step in made if step is not None]


def _found(way: Way) -> dict[str, _File]:
    mine = {r.name for r in way.own}
    found: dict[str, _File] = {}
    for record in way.later:
        for step in record.steps:
            if step.kind not in {"write-file", "remove-file"}:
                continue
            file = found.setdefault(step.params["path"], _File(step, step.params.get("after"), record))
            if record.name in mine and not record.repair:
                file.step, file.target, file.undone = step, step.params["before"], True
    return found


def _step(way: Way, path: str, file: _File) -> Step | None:
    now, target = way.observed.files.get(path), file.target
    if now == target:
        return None
    if _stays(way, path, now):
        way.kept(path)
        return None
    if now != file.left:
        reason = f"{path} was changed by somebody since {file.writer.name}."
        remedy = "See what was changed there, take it out of the file, and plan again; nothing of it is overwritten."
        way.problem(SINCE, reason, remedy)
        return None
    if file.writer.cluster != way.spec.name:
        if path not in _saved_paths(way):
            run, cluster = file.writer.run, file.writer.cluster
            way.problem(
                OTHER, f"{path} was changed by cluster {cluster} since (run {run}).", f"Roll {cluster} back first."
            )
            return None
        target = _merged(way, path, target)
        if target == now:
            return None
    way.changes.append(change(path, now, target))
    return _file_step(file, path, now, target)


def _stays(way: Way, path: str, now: str | None) -> bool:
    """Whether the file as it is belongs to what remains on the router."""
    if any(f.path == path and f.text == now for wanted in way.needed for f in wanted.files):
        return True
    if path in way.shared and now is not None:
        included = any(wanted.of_keepalived() for wanted in way.needed) and path.endswith("keepalived.conf")
        return included or bool(way.strangers)
    return False


def _file_step(file: _File, path: str, now: str | None, target: str | None) -> Step:
    mode = file.step.params.get("mode", 0o644)
    phase = file.step.phase if file.step.phase == "persist" else "run"
    if target is None:
        params = {"path": path, "before": now, "mode": mode}
        return Step(f"remove-{path}", "remove-file", f"Remove {path}", phase, "It was not there before", params)
    verb = "Create" if now is None else "Change"
    params = {"path": path, "before": now, "after": target, "mode": mode}
    return Step(f"back:{path}", "write-file", f"{verb} {path}", phase, "As it was before", params)


def _saved_paths(way: Way) -> dict[str, Family]:
    return {way.observed.facts.saved_path(family): family for family in FAMILIES}


def _merged(way: Way, path: str, target: str | None) -> str:
    """The saved rules as they are, with only our chains as they were: another cluster's came in since."""
    family = _saved_paths(way)[path]
    wanted = own_chains(way.spec.name, parse(target or "", path), family)
    return saved.merge(way.observed.files.get(path), way.spec.name, wanted, way.observed.rules(family))


def own_chains(cluster: str, ruleset: Ruleset, family: Family, jumps: Ruleset | None = None) -> tuple[OwnChain, ...]:
    """The cluster's chains in `ruleset`, as they would be rendered. Where it has no jump to one, `jumps` has."""
    return tuple(_own(chain, ruleset, jumps) for chain in iptables.leftovers(cluster, (), ruleset, family))


def _own(chain: OwnChain, ruleset: Ruleset, jumps: Ruleset | None) -> OwnChain:
    builtin = next(_from(chain, jumps), chain.builtin) if jumps and not any(_from(chain, ruleset)) else chain.builtin
    rules = tuple(type(r)(r.tokens, r.text.removeprefix(f"-A {chain.name} ")) for r in chain.rules)
    return OwnChain(chain.table, chain.name, builtin, rules, chain.family)


def _from(chain: OwnChain, ruleset: Ruleset) -> Iterator[str]:
    """Built-in chains that jump to it."""
    for builtin in iptables.BUILTIN.get(chain.table, ()):
        found = ruleset.chain(chain.table, builtin)
        if found and found.jumps_to(chain.name):
            yield builtin
