"""The only bridge from rows to `lbftp.core.spec`: a draft names machines, the inventory knows their addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address, IPv4Interface
from typing import Any, Final

from lbftp.accounts.models import Team
from lbftp.clusters.models import Cluster
from lbftp.core.lint import lint, lint_others
from lbftp.core.problem import Problem
from lbftp.core.spec import ClusterSpec, HealthCheck, PortRange, SpecError, from_json
from lbftp.inventory.models import RealServer, Router

Draft = Mapping[str, Any]

# The guide's: the router with the higher number is the master.
PRIORITIES: Final = (100, 50)
DRAFT_FIELDS: Final = (
    "vip",
    "floating",
    "internal_network",
    "mark",
    "control_port",
    "passive",
    "scheduler",
    "persistence_timeout",
    "vrid",
    "advert_int",
    "check",
    "routers",
    "real_servers",
)


def draft_defaults() -> dict[str, Any]:
    """A draft with the guide's values, nothing chosen yet."""
    check, passive = HealthCheck(), PortRange(10000, 20000)
    return {
        "vip": "",
        "floating": "",
        "internal_network": "",
        "mark": 21,
        "control_port": 21,
        "passive": {"low": passive.low, "high": passive.high},
        "scheduler": "wlc",
        "persistence_timeout": 360,
        "vrid": 21,
        "advert_int": 1,
        "check": {"delay_loop": check.delay_loop, "connect_timeout": check.connect_timeout, "retry": check.retry},
        "routers": [],
        "real_servers": [],
    }


def spec_of(cluster: Cluster) -> ClusterSpec:
    """What the draft wants, with the inventory's addresses. Raises SpecError naming the field."""
    return spec_of_draft(cluster.draft, cluster.team, cluster.name)


def spec_of_draft(draft: Draft, team: Team, name: str) -> ClusterSpec:
    """`spec_of` for a draft that is not saved yet."""
    routers = {r.name: r for r in Router.objects.filter(team=team)}
    servers = {s.name: s.address for s in RealServer.objects.filter(team=team)}
    floats = {str(draft.get("vip")), str(draft.get("floating"))} | _floating_elsewhere(team, name)
    return _assemble(
        {**draft, "name": name},
        lambda item: _router(item, routers, draft, floats),
        lambda item: {**item, "address": _known("real_servers", item, servers)},
    )


def check_values(draft: Draft, name: str) -> None:
    """Raises SpecError if a value that is there could never be right; what is missing or unchosen yet is let pass."""
    given = {k: v for k, v in draft.items() if v not in ("", None)}
    stand_ins = {"vip": "192.0.2.1", "floating": "10.0.0.1", "internal_network": "10.0.0.0/24"}
    numbers = iter(range(1, 1 << 16))
    _assemble(
        {"routers": [], "real_servers": [], **stand_ins, **given, "name": name},
        lambda item: {**item, **_STAND_IN_ROUTER},
        lambda item: {**item, "address": str(IPv4Address(next(numbers)))},
    )


def check_draft(
    what: Cluster | Draft, team: Team, *, name: str = "", cluster: Cluster | None = None
) -> list[dict[str, Any]]:
    """Every problem of a cluster's draft, or of one being typed: values, FTP rules, overlaps with other clusters.

    `name` is what the form holds; `cluster` the one being edited. Errors come first.
    """
    if isinstance(what, Cluster):
        draft, cluster = what.draft, what
    else:
        draft = what
    name = name or (cluster.name if cluster else "new")
    try:
        spec = spec_of_draft(draft, team, name)
    except SpecError as error:
        return [problem_of(error).to_json()]
    beside = other_specs(team, (r.name for r in spec.routers), but=cluster, proposed=True)
    found = lint(spec) + lint_others(spec, beside)
    return [p.to_json() for p in sorted(found, key=lambda p: p.severity != "error")]


def other_specs(
    team: Team, routers: Iterable[str], *, but: Cluster | None, proposed: bool = False
) -> list[ClusterSpec]:
    """Applied specs of the team's other clusters on any of `routers`; with `proposed` the newest revision of those
    that were never applied as well."""
    names = set(routers)
    others = Cluster.objects.filter(team=team).select_related("applied").order_by("name")
    if but is not None:
        others = others.exclude(pk=but.pk)
    found = []
    for other in others:
        revision = other.applied or (other.revisions.first() if proposed else None)
        if revision and names & {r["name"] for r in revision.spec["routers"]}:
            found.append(from_json(revision.spec))
    return found


def problem_of(error: SpecError) -> Problem:
    """A value that the model does not accept, in the form of the lint's problems."""
    text = error.message.rstrip(".")
    return Problem("FTP000", "error", error.field, text[:1].upper() + text[1:] + ".", "")


_STAND_IN_ROUTER: Final = {
    "public_interface": "eth0",
    "public_address": "192.0.2.2/24",
    "internal_interface": "eth1",
    "internal_address": "10.0.0.2/24",
}


def _assemble(
    data: dict[str, Any],
    router: Callable[[dict[str, Any]], dict[str, Any]],
    server: Callable[[dict[str, Any]], dict[str, Any]],
) -> ClusterSpec:
    for field in ("vip", "floating", "internal_network"):
        if not data.get(field):
            raise SpecError(field, "is missing")
    return from_json(
        {
            **data,
            "routers": [router(i) for i in _items(data, "routers")],
            "real_servers": [server(i) for i in _items(data, "real_servers")],
        }
    )


def _items(data: Draft, field: str) -> list[dict[str, Any]]:
    items = data.get(field) or []
    if not isinstance(items, list) or not all(isinstance(i, dict) and isinstance(i.get("name"), str) for i in items):
        raise SpecError(field, "has to be a list of entries, each with a name")
    return items


def _known(field: str, item: dict[str, Any], known: Mapping[str, Any]) -> Any:
    name = item["name"]
    if name not in known:
        there = ", ".join(sorted(known)) or "none yet"
        raise SpecError(field, f"{name[:40]!r} is not in the team's inventory (there: {there}); add it there first")
    return known[name]


def _router(item: dict[str, Any], routers: Mapping[str, Router], draft: Draft, floats: set[str]) -> dict[str, Any]:
    row: Router = _known("routers", item, routers)
    if not row.facts.get("interfaces"):
        raise SpecError("routers", f"{row.name} was never looked at: confirm its host key, then look again")
    return {
        **item,
        "public_interface": row.public_interface,
        "public_address": _own_address(row, "public_interface", floats, str(draft.get("vip"))),
        "internal_interface": row.internal_interface,
        "internal_address": _own_address(row, "internal_interface", floats, str(draft.get("floating"))),
    }


def _own_address(row: Router, field: str, floats: set[str], near: str) -> str:
    """The router's own IPv4 address on the chosen interface: never a floating one, if possible in `near`'s network."""
    name = getattr(row, field)
    if not name:
        raise SpecError("routers", f"the {field.replace('_', ' ')} of {row.name} is not chosen: choose it on its page")
    found = [a for i in row.facts["interfaces"] if i["name"] == name for a in i.get("addresses", []) if "." in a]
    own = [IPv4Interface(a) for a in found if a.partition("/")[0] not in floats]
    if not own:
        raise SpecError(
            "routers", f"{row.name} has no IPv4 address of its own on {name}: look again, or choose another"
        )
    return str(min(own, key=lambda a: not _holds(a, near)))


def _holds(address: IPv4Interface, near: str) -> bool:
    try:
        return IPv4Address(near) in address.network
    except ValueError:
        return False


def _floating_elsewhere(team: Team, name: str) -> set[str]:
    """VIPs and floating addresses of the team's other clusters: a master holds them beside its own."""
    drafts = Cluster.objects.filter(team=team).exclude(name=name).values_list("draft", flat=True)
    return {str(d.get(field)) for d in drafts for field in ("vip", "floating")}
