"""What one or two routers hold -> proposals, one a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from lbftp.core.importing.seen import Candidate, Seen, candidates, see
from lbftp.core.importing.service import take_marks, take_services
from lbftp.core.importing.values import Found, InTheWay, Leftover, Proposal
from lbftp.core.importing.vrrp import take_vrrp
from lbftp.core.importing.way_out import take_mode, take_way_out
from lbftp.core.observe.observed import Observed
from lbftp.core.spec import ClusterSpec, SpecError, from_json

_Item = TypeVar("_Item", Leftover, InTheWay)
_FIRST_MARK: Final = 21
# As `dump` prints them.
_ORDER: Final = (
    "vip", "floating", "internal_network", "vip6", "floating6", "internal_network6", "mode", "forwarding", "active",
    "mark", "control_ports", "implicit_ports", "tls", "passive", "scheduler", "scheduler_flags", "persistence_timeout",
    "persistence_granularity", "persistence_granularity6", "quorum", "inhibit_on_failure", "sorry_server",
    "expected_sessions", "check", "vrrp", "routers", "real_servers",
)  # fmt: skip


def propose(observed: Mapping[str, Observed]) -> list[Proposal]:
    """A proposal for each FTP cluster that runs on the routers, sorted by name. [] if there is none.

    What two routers have differently is taken from the first by name, and left over for the other.
    """
    seen = {name: see(observed[name]) for name in sorted(observed)}
    together: dict[tuple[object, ...], list[Found]] = {}
    for one in seen.values():
        for candidate in candidates(one):
            found = _found(one, candidate)
            together.setdefault(_identity(found, candidate), []).append(found)
    unread = [item for one in seen.values() for item in one.left]
    proposals = [_merged(parts, unread) for parts in _named(list(together.values()))]
    return sorted(_grouped(proposals), key=lambda p: p.name)


def _found(seen: Seen, candidate: Candidate) -> Found:
    found = Found(seen.observed.router, candidate.own, bool(candidate.own))
    take_marks(found, seen, candidate)
    take_services(found, candidate)
    found.fields.setdefault("forwarding", "NAT")
    take_vrrp(found, seen)
    take_way_out(found, seen)
    take_mode(found, seen)
    return found


def _identity(found: Found, candidate: Candidate) -> tuple[object, ...]:
    """By what two routers' findings are one cluster: its name if it is ours, its mark, else its VIP."""
    if found.own:
        return ("own", found.name)
    return ("mark", candidate.mark) if candidate.mark is not None else ("vip", found.fields.get("vip"))


def _named(parts: list[list[Found]]) -> list[list[Found]]:
    """Gives every cluster without a name one that is free, and every service without a mark a mark."""
    taken = {p.name for group in parts for p in group if p.name}
    marks = {p.fields["mark"] for group in parts for p in group if "mark" in p.fields}
    for group in parts:
        if not group[0].name:
            name = next(n for i in range(1, 1000) if (n := "ftp" if i == 1 else f"ftp-{i}") not in taken)
            taken.add(name)
            for part in group:
                part.name = name
        if "mark" not in group[0].fields:
            mark = next(m for m in range(_FIRST_MARK, 1 << 16) if m not in marks)
            marks.add(mark)
            for part in group:
                part.guess("mark", mark)
    return parts


def _merged(parts: list[Found], unread: list[Leftover]) -> Proposal:
    first = parts[0]
    fields: dict[str, Any] = dict(first.fields)
    left = [*unread, *(item for part in parts for item in part.left)]
    for part in parts[1:]:
        for name, value in part.fields.items():
            left += _join(fields, first, part, name, value)
    fields["routers"] = [part.about for part in parts if part.about]
    if len(parts) == 1:
        left.append(Leftover("the second router", "only this one has the cluster, or was looked at", first.router))
    told = _together(left)
    ordered: dict[str, Any] = {"name": first.name, **{name: fields[name] for name in _ORDER if name in fields}}
    in_the_way = _together([item for part in parts for item in part.in_the_way])
    spec, problem = _spec(ordered)
    return Proposal(first.name, ordered, spec, problem, told, in_the_way)


def _together(items: Sequence[_Item]) -> tuple[_Item, ...]:
    """What is the same on several routers is said once, with all their names."""
    routers: dict[_Item, list[str]] = {}
    for item in items:
        names = routers.setdefault(replace(item, router=""), [])
        if item.router and item.router not in names:
            names.append(item.router)
    return tuple(replace(item, router=", ".join(names)) for item, names in routers.items())


def _join(fields: dict[str, Any], first: Found, part: Found, name: str, value: Any) -> list[Leftover]:
    """Takes over what only the other router knows, and tells what the two have differently."""
    had = fields.get(name)
    if value == had or value is None:
        return []
    if had is None or (name in first.guessed and name not in part.guessed):
        fields[name] = value
        return []
    why = f"{part.router} has {_brief(value, had)}, {first.router} has {_brief(had, value)}, which is taken"
    return [Leftover(name, why, part.router)]


def _brief(value: Any, other: Any) -> str:
    """Of a mapping or a list only what differs."""
    if isinstance(value, dict) and isinstance(other, dict):
        value = {k: v for k, v in value.items() if other.get(k) != v}
    elif isinstance(value, list) and isinstance(other, list) and all(isinstance(v, dict) for v in [*value, *other]):
        there = {v["name"]: v for v in other}
        return ", ".join(_machine(v, there.get(v["name"])) for v in value if v not in other)[:200] or "none"
    return str(value)[:200]


def _machine(value: dict[str, Any], other: dict[str, Any] | None) -> str:
    """A machine's name, and what is different about it where the other list has it too."""
    differing = {k: v for k, v in value.items() if other is not None and other.get(k) != v}
    return " ".join([value["name"], *(f"{k} {v}" for k, v in differing.items())])


def _spec(fields: dict[str, Any]) -> tuple[ClusterSpec | None, str]:
    try:
        return from_json({**fields, "routers": [_priority(r) for r in fields["routers"]]}), ""
    except SpecError as error:
        return None, str(error)


def _priority(router: dict[str, Any]) -> dict[str, Any]:
    """keepalived's own default where no instance says one."""
    return {"priority": 100, **router}


def _grouped(proposals: list[Proposal]) -> list[Proposal]:
    """Hand-made clusters that share the internal floating address move together: they become one group."""
    found: list[Proposal] = []
    groups: dict[str, str] = {}
    for proposal in sorted(proposals, key=lambda p: p.name):
        floating = proposal.fields.get("floating") or proposal.fields.get("floating6")
        vrrp = proposal.fields.get("vrrp")
        first = groups.setdefault(str(floating), proposal.name) if floating else proposal.name
        joins = first != proposal.name and vrrp is not None and not vrrp["group"]
        found.append(_joined(proposal, first) if joins else proposal)
    return found


def _joined(proposal: Proposal, first: str) -> Proposal:
    """The proposal, which has VRRP, as a member of the group of the cluster `first`."""
    vrrp = proposal.fields["vrrp"]
    fields = {**proposal.fields, "vrrp": {**vrrp, "group": first}}
    spec, problem = _spec(dict(fields))
    why = f"it shares the internal floating address with {first}: both need a router id of their own"
    left = (*proposal.left, Leftover(f"virtual router id {vrrp['vrid']}", why))
    return replace(proposal, fields=fields, spec=spec, problem=problem, left=left)
