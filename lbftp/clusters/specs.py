"""The only bridge from rows to `lbftp.core.spec`: a draft names machines, the inventory knows their addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address, ip_address, ip_interface
from typing import Any, Final

from lbftp.accounts.models import Team
from lbftp.clusters.drafts import Draft, complete
from lbftp.clusters.models import Cluster
from lbftp.core.lint import lint, lint_others
from lbftp.core.problem import Problem
from lbftp.core.spec import FAMILIES, ClusterSpec, Family, SpecError, from_json
from lbftp.core.spec.values import Interface
from lbftp.inventory.models import RealServer, Router

_FIELDS: Final[dict[Family, tuple[str, str]]] = {4: ("vip", "floating"), 6: ("vip6", "floating6")}
# What each side's own address should be near to, where a router has several.
_NEAR: Final = {"public": 0, "internal": 1}


def spec_of(cluster: Cluster) -> ClusterSpec:
    """What the draft wants, with the inventory's addresses. Raises SpecError naming the field."""
    return spec_of_draft(cluster.draft, cluster.team, cluster.name)


def spec_of_draft(draft: Draft, team: Team, name: str) -> ClusterSpec:
    """`spec_of` for a draft that is not saved yet."""
    draft = complete(draft)
    routers = {r.name: r for r in Router.objects.filter(team=team)}
    servers = {s.name: s for s in RealServer.objects.filter(team=team)}
    floats = _floating(draft) | _floating_elsewhere(team, name)
    return _assemble(
        {**draft, "name": name},
        lambda item: _router(item, routers, draft, floats),
        lambda item: _server(item, servers),
    )


def check_values(draft: Draft, name: str) -> None:
    """Raises SpecError if a value that is there could never be right; what is missing or unchosen yet is let pass."""
    given = {k: v for k, v in complete(draft).items() if v not in ("", None)}
    stand_ins = {} if "vip6" in given else {"vip": "192.0.2.1"}
    numbers = iter(range(1, 1 << 16))
    _assemble(
        {**stand_ins, **given, "name": name},
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


Fill = Callable[[dict[str, Any]], dict[str, Any]]


def _assemble(data: dict[str, Any], router: Fill, server: Fill) -> ClusterSpec:
    machines = {
        "routers": [router(i) for i in _items(data, "routers")],
        "real_servers": [server(i) for i in _items(data, "real_servers")],
    }
    return from_json({**data, **machines})


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
        "public_interface": _chosen(row, "public"),
        "internal_interface": _chosen(row, "internal"),
        **_own_addresses(row, "public", draft, floats),
        **_own_addresses(row, "internal", draft, floats),
    }


def _server(item: dict[str, Any], servers: Mapping[str, RealServer]) -> dict[str, Any]:
    row: RealServer = _known("real_servers", item, servers)
    return {**item, "address": row.address, "address6": row.address6}


def _chosen(row: Router, side: str) -> str:
    name = str(getattr(row, f"{side}_interface"))
    if not name:
        raise SpecError("routers", f"the {side} interface of {row.name} is not chosen: choose it on its page")
    return name


def _own_addresses(row: Router, side: str, draft: Draft, floats: set[str]) -> dict[str, str | None]:
    """The router's own addresses on one side, for the IP versions that the cluster has; None where it has none."""
    found: dict[str, str | None] = {}
    for family in FAMILIES:
        own = _own(row, _chosen(row, side), family, floats) if draft.get(_FIELDS[family][0]) else []
        near = str(draft.get(_FIELDS[family][_NEAR[side]]))
        best = next((a for a in own if _holds(a, near)), own[0] if own else None)
        found[f"{side}_address" + ("6" if family == 6 else "")] = str(best) if best else None
    return found


def _own(row: Router, name: str, family: Family, floats: set[str]) -> list[Interface]:
    """Its addresses on interface `name`: no floating one, which a master holds beside its own, no link-local one."""
    texts = [a for i in row.facts["interfaces"] if i["name"] == name for a in i.get("addresses", [])]
    parsed = [ip_interface(text) for text in texts]
    return [a for a in parsed if a.version == family and not a.ip.is_link_local and str(a.ip) not in floats]


def _holds(address: Interface, near: str) -> bool:
    try:
        return ip_address(near) in address.network
    except ValueError:
        return False


def _floating(draft: Draft) -> set[str]:
    """VIPs and floating addresses of a draft, as they are written canonically."""
    return {_canonical(str(draft.get(field))) for names in _FIELDS.values() for field in names}


def _canonical(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return text


def _floating_elsewhere(team: Team, name: str) -> set[str]:
    """Those of the team's other clusters: a master holds them beside its own."""
    drafts = Cluster.objects.filter(team=team).exclude(name=name).values_list("draft", flat=True)
    return {address for draft in drafts for address in _floating(draft)}
