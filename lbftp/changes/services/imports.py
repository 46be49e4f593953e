"""Bringing in what already runs on routers: the run that looks, and drafts from what it proposes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from lbftp.accounts import access
from lbftp.accounts.models import Role, Team
from lbftp.accounts.services import require
from lbftp.changes.errors import Invalid, Refused
from lbftp.changes.models import Run
from lbftp.changes.services import runs
from lbftp.clusters import services as clusters
from lbftp.clusters.drafts import DRAFT_FIELDS
from lbftp.clusters.models import Cluster
from lbftp.inventory import services as inventory
from lbftp.inventory.models import RealServer, Router

_OF_A_PAIR = 2


def start(*, user: User, team: Team, routers: Sequence[Router]) -> Run:
    """Looks at one router, or at the two of a pair, for FTP clusters. Nothing is changed there."""
    require(user, team, Role.OPERATOR)
    if not 1 <= len({r.pk for r in routers}) == len(routers) <= _OF_A_PAIR:
        raise Refused("An import looks at one router, or at the two of a pair.")
    for router in routers:
        if router.team_id != team.pk:
            raise Refused(f"{router.name} belongs to another team.")
        if not router.host_key:
            raise Refused(f"The host key of {router.name} is not confirmed yet: confirm it on the router's page.")
    return runs.start(kind=Run.Kind.IMPORT, team=team, user=user, router_ids=[r.pk for r in routers])


def proposals(run: Run) -> list[dict[str, Any]]:
    """What the run proposes, in the form of `core.importing.Proposal.to_json`; [] while it goes on."""
    found: list[dict[str, Any]] = run.result.get("proposals", []) if run.kind == Run.Kind.IMPORT else []
    return found


def draft(run: Run, name: str) -> dict[str, Any]:
    """The proposal called `name` in the form of `clusters.services.load`, real servers named as in the inventory."""
    fields = _proposal(run, name)["fields"]
    data = {"name": name, **{f: fields[f] for f in DRAFT_FIELDS if f in fields}}
    data["routers"] = [{k: r[k] for k in ("name", "priority") if k in r} for r in fields.get("routers", [])]
    known = _by_address(run.team)
    data["real_servers"] = [_named(server, known) for server in fields.get("real_servers", [])]
    return data


def unknown_servers(run: Run, name: str) -> list[dict[str, Any]]:
    """The proposal's real servers that the team's inventory does not have."""
    known = _by_address(run.team)
    servers = _proposal(run, name)["fields"].get("real_servers", [])
    return [s for s in servers if not any(a in known for a in _addresses(s))]


def save(*, user: User, run: Run, name: str, new_name: str = "") -> Cluster:
    """A new cluster's draft from the proposal called `name`. Real servers that are missing join the inventory, if
    `user` may add them. A cluster that is there already is never overwritten."""
    require(user, run.team, Role.OPERATOR)
    data = {**draft(run, name), "name": new_name or name}
    if Cluster.objects.filter(team=run.team, name=data["name"]).exists():
        remedy = "Give the imported one another name, or edit that one."
        raise Invalid.at("name", f"There is a cluster {data['name']} in this team already.", remedy)
    missing = unknown_servers(run, name)
    if missing and not access.has_role(user, run.team, Role.ADMIN):
        names = ", ".join(f"{s['name']} ({', '.join(_addresses(s))})" for s in missing)
        raise Refused(f"An administrator has to add these real servers first: {names}.")
    with transaction.atomic():
        _add(user, run.team, missing)
        data["real_servers"] = draft(run, name)["real_servers"]
        return clusters.load(user=user, team=run.team, data=data)


def _proposal(run: Run, name: str) -> dict[str, Any]:
    for found in proposals(run):
        if found["name"] == name:
            return found
    raise Refused(f"This run proposes no cluster {name[:40]!r}.")


def _add(user: User, team: Team, servers: Iterable[dict[str, Any]]) -> None:
    taken = set(RealServer.objects.filter(team=team).values_list("name", flat=True))
    for server in servers:
        name = next(
            n for n in (server["name"], *(f"{server['name'][:28]}-{i}" for i in range(2, 1000))) if n not in taken
        )
        taken.add(name)
        addresses = {f: server.get(f) or "" for f in ("address", "address6")}
        inventory.add_real_server(user=user, team=team, name=name, **addresses)


def _by_address(team: Team) -> dict[str, str]:
    rows = RealServer.objects.filter(team=team)
    return {str(a): row.name for row in rows for a in (row.address, row.address6) if a}


def _addresses(server: dict[str, Any]) -> list[str]:
    return [server[f] for f in ("address", "address6") if server.get(f)]


def _named(server: dict[str, Any], known: dict[str, str]) -> dict[str, Any]:
    name = next((known[a] for a in _addresses(server) if a in known), server["name"])
    own = {k: v for k, v in server.items() if k not in {"name", "address", "address6"}}
    return {"name": name, **own}
