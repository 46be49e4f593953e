"""Live numbers in the database: who looks at which router, what is kept, how it is rolled up and forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from lbftp.changes.services import jobs
from lbftp.core.measures import Measures, ServerMeasures
from lbftp.core.observe.ipvs_stats import Counters
from lbftp.core.observe.numbers import parse
from lbftp.inventory.models import Credential
from lbftp.numbers import services
from lbftp.numbers.models import Latest, Sample, Watch
from tests.conftest import Race
from tests.core.numbers_cases import IDLE, MASTER
from tests.worlds import World, applied

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """It is a minute past noon: looks around noon are fresh."""
    monkeypatch.setattr(timezone, "now", lambda: NOON + timedelta(minutes=1))
    return NOON


def seen(router: str = "r1", *, uptime: float = 100, out: int = 0, master: bool = True, active: int = 3) -> Measures:
    total = Counters(1, 1, 1, 1, out)
    servers = (ServerMeasures("ftp1", 1, active, 0, 2, 1, 0, 1, 60, total),)
    return Measures(router, uptime, "boot", master, (7, 100), 101, servers)


def kept(step: int) -> list[tuple[datetime, Any]]:
    return list(Sample.objects.filter(step=step).order_by("at").values_list("at", "data"))


def test_only_routers_of_applied_clusters_are_watched(world: World) -> None:
    services.watch_all(now=NOON)
    assert not Watch.objects.exists()
    applied(world)
    services.watch_all(now=NOON)
    services.watch_all(now=NOON + timedelta(seconds=1))
    assert set(Watch.objects.values_list("router__name", "due_at")) == {("r1", NOON), ("r2", NOON)}
    world.r2.host_key = ""
    world.r2.save(update_fields=["host_key"])
    assert [look.access.name for look in services.claim_due(now=NOON)] == ["r1"]


def test_a_claimed_router_is_due_again_after_the_interval(world: World) -> None:
    applied(world)
    services.watch_all(now=NOON)
    looks = services.claim_due(now=NOON + timedelta(seconds=70))
    assert [look.access.name for look in looks] == ["r1", "r2"]
    assert [spec.name for spec in looks[0].specs.values()] == ["web"]
    assert services.claim_due(now=NOON + timedelta(seconds=80)) == []
    # What went by unused is not made up for, and the rhythm stays.
    assert set(Watch.objects.values_list("due_at", flat=True)) == {NOON + timedelta(seconds=90)}


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_look_at_one_router(world: World, race: Race) -> None:
    applied(world)
    services.watch_all(now=NOON)
    given = race(*[lambda: services.claim_due(now=NOON)] * 4)
    names = [look.access.name for looks in given if isinstance(looks, list) for look in looks]
    assert sorted(names) == ["r1", "r2"], given


def test_a_secret_that_cannot_be_opened_costs_only_its_router(world: World) -> None:
    applied(world)
    services.watch_all(now=NOON)
    other = Credential.objects.create(team=world.team, name="other", username="admin", secret="x")
    world.r2.credential = other
    world.r2.save(update_fields=["credential"])

    with connection.cursor() as cursor:
        cursor.execute("UPDATE inventory_credential SET secret = 'broken' WHERE id = %s", [other.pk])
    assert [look.access.name for look in services.claim_due(now=NOON)] == ["r1"]
    assert "cannot be opened" in Watch.objects.get(router=world.r2).problem


def test_what_a_router_says_is_kept(world: World, noon: datetime) -> None:
    applied(world)
    services.watch_all(now=noon)
    r1, r2 = services.claim_due(now=noon)
    assert services.take(look=r1, found=parse(MASTER), at=noon)
    assert services.take(look=r2, found=parse(IDLE), at=noon)
    assert [(row.router, row.data["master"]) for row in Latest.objects.all()] == [("r1", True), ("r2", False)]
    assert Watch.objects.get(router=world.r1).answered_at == noon
    hour = Sample.objects.get(router="r1", step=3600)
    assert hour.data["servers"]["ftp2"]["active"] == [1, 4, 4]


def test_a_router_that_does_not_answer_says_why_until_it_does(world: World, noon: datetime) -> None:
    applied(world)
    services.watch_all(now=noon)
    r1, r2 = services.claim_due(now=noon)
    assert services.take(look=r1, found="r1: no SSH connection.", at=noon)
    assert services.take(look=r2, found=parse(IDLE), at=noon)
    assert Watch.objects.get(router=world.r1).problem == "r1: no SSH connection."
    assert not Latest.objects.filter(router="r1").exists()
    (again, _r2) = services.claim_due(now=noon + timedelta(seconds=30))
    services.take(look=again, found=parse(MASTER), at=noon)
    assert Watch.objects.get(router=world.r1).problem == ""


def test_an_old_claim_keeps_nothing(world: World, noon: datetime) -> None:
    applied(world)
    services.watch_all(now=noon)
    slow = services.claim_due(now=noon)[0]
    services.claim_due(now=noon + timedelta(seconds=30))
    assert not services.take(look=slow, found=parse(MASTER), at=noon)
    assert not services.take(look=slow, found="too slow", at=noon)
    assert not Latest.objects.exists()
    assert not Watch.objects.exclude(problem="").exists()


def test_looks_become_minutes_hours_and_days(world: World, noon: datetime) -> None:
    cluster = world.cluster.pk
    for second, out in ((0, 1000), (30, 4000), (60, 10000)):
        services.keep(cluster, seen(uptime=100 + second, out=out), noon + timedelta(seconds=second))
    minutes = kept(60)
    assert [at for at, _ in minutes] == [noon, noon + timedelta(minutes=1)]
    assert minutes[0][1]["servers"]["ftp1"]["out_bytes"] == [1, 100, 100]
    for step, begin in ((3600, noon), (86400, noon.replace(hour=0))):
        ((at, data),) = kept(step)
        assert at == begin
        assert data["servers"]["ftp1"]["active"] == [3, 9, 3]
        assert data["servers"]["ftp1"]["out_bytes"] == [2, 300, 200]
        assert data["router"]["master"] == [3, 3, 1]


def test_the_same_look_twice_is_one(world: World, noon: datetime) -> None:
    for _ in range(2):
        services.keep(world.cluster.pk, seen(), noon)
    assert Sample.objects.count() == 4
    assert kept(86400)[0][1]["router"]["master"] == [1, 1, 1]


def test_a_late_look_is_one_more(world: World, noon: datetime) -> None:
    services.keep(world.cluster.pk, seen(uptime=200, out=9000), noon)
    services.keep(world.cluster.pk, seen(uptime=140, out=3000, active=9), noon - timedelta(seconds=60))
    assert Latest.objects.get().at == noon, "the newest stays the newest"
    assert [data["servers"]["ftp1"]["active"] for _, data in kept(60)] == [[1, 9, 9], [1, 3, 3]]
    assert kept(86400)[0][1]["servers"]["ftp1"]["active"] == [2, 12, 9]
    services.keep(world.cluster.pk, seen(), noon - timedelta(hours=settings.KEEP_LOOKS_HOURS, minutes=2))
    assert kept(86400)[0][1]["servers"]["ftp1"]["active"] == [2, 12, 9], "its minute could not be counted anew"


def test_a_counter_that_began_anew_makes_no_spike(world: World, noon: datetime) -> None:
    services.keep(world.cluster.pk, seen(uptime=100, out=5_000_000), noon)
    services.keep(world.cluster.pk, seen(uptime=130, out=3000), noon + timedelta(seconds=30))
    assert kept(60)[0][1]["servers"]["ftp1"]["out_bytes"] == [1, 100, 100]


def test_each_kind_is_forgotten_in_its_time(world: World, noon: datetime) -> None:
    services.keep(world.cluster.pk, seen(), noon)
    left = []
    for age in (
        timedelta(hours=settings.KEEP_LOOKS_HOURS),
        timedelta(days=settings.KEEP_MINUTES_DAYS),
        timedelta(days=settings.KEEP_HOURS_DAYS),
        timedelta(days=settings.KEEP_DAYS_DAYS),
    ):
        services.forget(now=noon + age - timedelta(seconds=60))
        before = list(Sample.objects.order_by("step").values_list("step", flat=True))
        services.forget(now=noon + age + timedelta(days=2))
        left.append((before, list(Sample.objects.order_by("step").values_list("step", flat=True))))
    assert [before for before, _ in left] == [[0, 60, 3600, 86400], [60, 3600, 86400], [3600, 86400], [86400]]
    assert left[-1][1] == []


def test_secrets_stay_out_of_what_is_kept_and_shown(world: World, noon: datetime) -> None:
    applied(world)
    services.watch_all(now=noon)
    look = services.claim_due(now=noon)[0]
    assert look.access == jobs.access_to(world.r1)
    assert "CANARY" not in repr(look)
