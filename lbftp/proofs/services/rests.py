"""Which routers are in maintenance, and what follows from that for changes and runs."""

from __future__ import annotations

from collections.abc import Iterable

from lbftp.accounts.models import Team
from lbftp.changes.errors import Refused
from lbftp.changes.models import ChangeRequest, Run
from lbftp.inventory.models import Router
from lbftp.proofs.models import Rest


def resting(team: Team, names: Iterable[str]) -> dict[str, Rest]:
    """Those of the team's routers with these names that are in maintenance."""
    rows = Rest.objects.filter(router__team=team, router__name__in=list(names)).select_related("router", "by")
    return {row.router.name: row for row in rows}


def refuse_resting(change: ChangeRequest) -> None:
    """Raises Refused for a change of routers of which one is in maintenance; only bringing it back goes on, and what
    leaves routers alone."""
    if change.kind == ChangeRequest.Kind.SERVERS:
        return
    names = [str(r["name"]) for r in change.revision.spec["routers"]]
    found = resting(change.cluster.team, names)
    if change.kind == ChangeRequest.Kind.MAINTENANCE and not change.params.get("out"):
        found.pop(str(change.params.get("router")), None)
    if found:
        name, rest = next(iter(sorted(found.items())))
        raise Refused(f"{name} has been in maintenance since {rest.since:%Y-%m-%d %H:%M} UTC: bring it back first.")


def after(run: Run) -> None:
    """A maintenance run that succeeded: its router is marked, or no longer."""
    change = run.change
    if change is None or run.kind != Run.Kind.MAINTENANCE or run.dry or run.state != Run.State.SUCCEEDED:
        return
    router = Router.objects.filter(team=run.team, name=str(change.params.get("router"))).first()
    if router is None:
        return
    if change.params.get("out"):
        values = {"change": change, "by": run.started_by, "reason": change.reason[:500]}
        Rest.objects.update_or_create(router=router, defaults=values)
    else:
        Rest.objects.filter(router=router).delete()
