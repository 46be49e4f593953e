"""One run per router at a time, whatever the number of workers and whatever the broker delivers twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q

from lbftp import database
from lbftp.changes.models import Lease
from lbftp.changes.services import claims
from lbftp.inventory.models import Router


def take_leases(*, run_id: int, fence: int, router_names: Sequence[str]) -> bool:
    """Takes all of the routers for this run or none. They are the run's until released or until its heart stops.

    Raises LostClaim if `fence` is an old claim's, KeyError for a router that the team does not have.
    """
    with transaction.atomic():
        run = claims.holding(run_id, fence)
        ids = dict(Router.objects.filter(team=run.team, name__in=router_names).values_list("name", "pk"))
        # In one order everywhere, so that two runs wanting the same pair cannot wait for each other.
        taken = [_take(ids[name], run_id) for name in sorted(router_names)]
        if not all(taken):
            transaction.set_rollback(True)
        return all(taken)


def holders(*, run_id: int, router_names: Sequence[str]) -> str:
    """Which other runs have the routers, for people: "run 7 of web on r1 and r2"; '' if none has any more."""
    rows = Lease.objects.filter(router__team__runs=run_id, router__name__in=router_names).exclude(run=None)
    rows = rows.exclude(run=run_id).select_related("router", "run__cluster").order_by("run", "router__name")
    found: dict[str, list[str]] = {}
    for row in rows:
        whose = f" of {row.run.cluster.name}" if row.run and row.run.cluster else ""
        found.setdefault(f"run {row.run_id}{whose}", []).append(row.router.name)
    return ", ".join(f"{who} on {' and '.join(names)}" for who, names in found.items())


def release_leases(*, run_id: int) -> None:
    """Gives back what the run holds; nothing happens if it holds nothing."""
    Lease.objects.filter(run=run_id).update(run=None, expires_at=None)


def renew(run_id: int, now: datetime) -> None:
    """The heartbeat keeps the run's leases as well."""
    Lease.objects.filter(run=run_id).update(expires_at=now + claims.DEAD_AFTER)


def _take(router_id: int, run_id: int) -> bool:
    now = database.now()
    lease, _ = Lease.objects.get_or_create(router_id=router_id)
    free = Q(run=None) | Q(run=run_id) | Q(expires_at=None) | Q(expires_at__lt=now)
    rows = Lease.objects.filter(free, pk=lease.pk, fence=lease.fence)
    return rows.update(run=run_id, fence=F("fence") + 1, expires_at=now + claims.DEAD_AFTER) == 1
