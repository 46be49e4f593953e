"""Live numbers: which routers are due, what they said, and its roll-ups. Any number of workers may call at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from lbftp import database
from lbftp.alone import each_alone, reason
from lbftp.changes.errors import ServiceError
from lbftp.changes.services.jobs import access_to
from lbftp.clusters.models import Cluster
from lbftp.core import rollup
from lbftp.core.job import Look
from lbftp.core.measures import Measures, from_json, measures, rates, to_json
from lbftp.core.observe.numbers import Numbers
from lbftp.core.spec import ClusterSpec, SpecError
from lbftp.core.spec import from_json as spec_from_json
from lbftp.inventory.models import Router
from lbftp.numbers.models import Latest, Sample, Watch
from lbftp.outside import told

# Routers of one claim; they are looked at side by side, so that each look ends before its router is due again.
MOST: Final = 32

log = structlog.get_logger(__name__)


def interval() -> timedelta:
    return timedelta(seconds=settings.SAMPLE_SECONDS)


def batches() -> Iterator[list[Look]]:
    """Claims of due routers until none is due or the next round begins."""
    watch_all(now=database.now())
    end = time.monotonic() + settings.SAMPLE_SECONDS
    while time.monotonic() < end and (looks := claim_due(now=database.now())):
        yield looks


def watch_all(*, now: datetime) -> None:
    """Every router that an applied cluster runs on is watched from now on."""
    watched = set(Watch.objects.values_list("router_id", flat=True))
    new = [Watch(router_id=pk, due_at=now) for pk in sorted(set(_wanted()) - watched)]
    if new:
        Watch.objects.bulk_create(new, ignore_conflicts=True)


def claim_due(*, now: datetime) -> list[Look]:
    """Up to `MOST` due routers, each given to one caller only, whatever their number."""
    wanted = _wanted()
    due = Watch.objects.filter(due_at__lte=now, router__in=wanted).select_related("router").order_by("due_at")
    mine = [watch for watch in due[:MOST] if _claim(watch, now)]
    looks = each_alone(
        mine,
        lambda watch: _look(watch, wanted[watch.router_id]),
        what="look_not_claimed",
        failed=lambda watch, error: _note(watch.router, watch.fence + 1, reason(error)),
    )
    return [look for look in looks if look]


def _look(watch: Watch, specs: dict[int, ClusterSpec]) -> Look | None:
    """None, and noted, where the credential cannot be used."""
    fence = watch.fence + 1
    try:
        return Look(watch.router_id, fence, access_to(watch.router), specs)
    except (ServiceError, ImproperlyConfigured) as error:
        _note(watch.router, fence, str(error))
        return None


def _claim(watch: Watch, now: datetime) -> bool:
    """Compare-and-set; times that went by unused are not made up for."""
    late = (now - watch.due_at) // interval() + 1
    mine = Watch.objects.filter(pk=watch.pk, fence=watch.fence, due_at=watch.due_at)
    return mine.update(fence=watch.fence + 1, due_at=watch.due_at + late * interval()) == 1


def _wanted() -> dict[int, dict[int, ClusterSpec]]:
    """Router -> cluster -> what is applied there, for routers whose host key was confirmed."""
    routers = Router.objects.exclude(host_key="").values_list("team_id", "name", "pk")
    known = {(team, name): pk for team, name, pk in routers}
    found: dict[int, dict[int, ClusterSpec]] = {}
    for cluster in Cluster.objects.filter(applied__isnull=False).select_related("applied"):
        if spec := applied_spec(cluster):
            for router in spec.routers:
                if pk := known.get((cluster.team_id, router.name)):
                    found.setdefault(pk, {})[cluster.pk] = spec
    return found


def applied_spec(cluster: Cluster) -> ClusterSpec | None:
    """None while nothing is applied, or what is cannot be read any more."""
    try:
        return spec_from_json(cluster.applied.spec) if cluster.applied else None
    except SpecError:
        return None


def take(*, look: Look, found: Numbers | str, at: datetime) -> bool:
    """What a router said, or why it said nothing. False if that claim is over."""
    if isinstance(found, str):
        return record_problem(look=look, text=found)
    return record(look=look, numbers=found, at=at)


def record(*, look: Look, numbers: Numbers, at: datetime) -> bool:
    """What the router said at `at`. False if that claim is over; then nothing is kept."""
    with transaction.atomic():
        mine = Watch.objects.filter(router=look.router_id, fence=look.fence)
        if mine.update(answered_at=at, problem="") != 1:
            return False
        each_alone(
            look.specs.items(),
            lambda one: keep(one[0], measures(one[1], look.access.name, numbers), at),
            what="numbers_not_kept",
            failed=lambda _, error: mine.update(problem=told(reason(error))[:300]),
        )
    return True


def record_problem(*, look: Look, text: str) -> bool:
    """Why the router could not be looked at. False if that claim is over."""
    return _note(look.router_id, look.fence, text)


def _note(router: Router | int, fence: int, text: str) -> bool:
    """Logged when it is news, and not at every look."""
    mine = Watch.objects.filter(router=router, fence=fence)
    text = told(text)[:300]
    if mine.exclude(problem=text).update(problem=text):
        log.warning("no_live_numbers", problem=text)
    return mine.exists()


def keep(cluster_id: int, found: Measures, at: datetime) -> None:
    """One look and the buckets it is in. The same look twice is one; an older one than the newest is as good.

    One from before what is kept of single looks is dropped: its minute could not be counted anew.
    """
    if at < database.now() - _kept()[rollup.RAW]:
        return
    with transaction.atomic():
        before = Latest.objects.select_for_update().filter(cluster=cluster_id, router=found.router).first()
        grown = rates(from_json(before.data) if before else None, found)
        if before is None or before.at < at:
            values = {"at": at, "data": to_json(found)}
            Latest.objects.update_or_create(cluster_id=cluster_id, router=found.router, defaults=values)
        key = {"cluster_id": cluster_id, "router": found.router}
        Sample.objects.get_or_create(**key, step=rollup.RAW, at=at, defaults={"data": rollup.of(found, grown)})
        for finer, step in zip((rollup.RAW, *rollup.STEPS), rollup.STEPS, strict=False):
            _roll_up(key, finer, step, at)


def _roll_up(key: dict[str, Any], finer: int, step: int, at: datetime) -> None:
    """The bucket of `step` that `at` is in, counted anew from the finer ones."""
    begin = datetime.fromtimestamp(rollup.start(at.timestamp(), step), UTC)
    inside = {"at__gte": begin, "at__lt": begin + timedelta(seconds=step)}
    parts = Sample.objects.filter(**key, step=finer, **inside).values_list("data", flat=True)
    Sample.objects.update_or_create(**key, step=step, at=begin, defaults={"data": rollup.merged(parts)})


def forget(*, now: datetime) -> int:
    """Takes away what is older than the settings say. Returns how many rows that were."""

    def old(step: int) -> int:
        before = now - _kept()[step] - timedelta(seconds=step)
        return Sample.objects.filter(step=step, at__lt=before).delete()[0]

    return sum(each_alone(_kept(), old, what="numbers_not_forgotten"))


def _kept() -> dict[int, timedelta]:
    """Step -> how long its buckets are kept."""
    hours = (settings.KEEP_LOOKS_HOURS, settings.KEEP_MINUTES_DAYS * 24, settings.KEEP_HOURS_DAYS * 24)
    ages = (*hours, settings.KEEP_DAYS_DAYS * 24)
    return {step: timedelta(hours=age) for step, age in zip((rollup.RAW, *rollup.STEPS), ages, strict=True)}
