"""One policy, drain, look or row that cannot be understood ends alone, with its reason; the others go on."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from lbftp.changes.models import Run, Transition
from lbftp.changes.services import sweep
from lbftp.clusters.models import Cluster, Revision
from lbftp.compliance import services
from lbftp.compliance.models import Occurrence, Policy
from lbftp.compliance.page import Row
from lbftp.core.observe import numbers as reading
from lbftp.core.sessions_left import Left, Table
from lbftp.daytwo.models import Drain
from lbftp.daytwo.services import drains
from lbftp.numbers import services as numbers
from lbftp.numbers.models import Latest, Watch
from tests.worlds import World, applied

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
ODD_ZONES = (
    "Mars/Phobos",
    "",
    "../../etc/passwd",
    "Europe/Berlin\n",
    "/etc/localtime",
    "x" * 64,
    "UTC+99",
    "ünknown",
    "\u202eUTC",
)
ODD_CRONS = (
    "",
    "* * *",
    "61 * * * *",
    "0 0 31 2 *",
    "a b c d e",
    "*/0 * * * *",
    "-1 * * * *",
    "\x1b[2J",
    "9" * 90,
)
SEVERAL = 40


def clusters(world: World, count: int) -> list[Cluster]:
    """Copies of the applied cluster, which is the last of them."""
    applied(world)
    made = []
    for number in range(count):
        row = Cluster.objects.get(pk=world.cluster.pk)
        revision = Revision.objects.get(pk=row.applied_id or 0)
        row.pk = None
        row.name = f"copy{number}"
        row.applied = None
        row.save()
        revision.pk, revision.cluster = None, row
        revision.save()
        Cluster.objects.filter(pk=row.pk).update(applied=revision)
        made.append(Cluster.objects.get(pk=row.pk))
    return [*made, Cluster.objects.get(pk=world.cluster.pk)]


def policy(cluster: Cluster, **odd: str) -> Policy:
    values: dict[str, Any] = {"cron": "*/15 * * * *", "time_zone": "UTC", "action": "report", "enabled": True}
    return Policy.objects.create(cluster=cluster, next_due=NOON, **{**values, **odd})


def test_odd_policies_are_switched_off_with_a_reason_and_the_others_are_started(world: World) -> None:
    odd = [{"time_zone": zone} for zone in ODD_ZONES] + [{"cron": cron} for cron in ODD_CRONS]
    *broken, good = clusters(world, len(odd))
    rows = [policy(cluster, **values) for cluster, values in zip(broken, odd, strict=True)]
    policy(good)
    begun = services.claim_due(now=NOON)
    assert [run.cluster for run in begun] == [good]
    for row in rows:
        row.refresh_from_db()
        assert (row.enabled, row.next_due) == (False, None)
        entry = Occurrence.objects.get(policy=row)
        assert (entry.state, entry.due) == (Occurrence.State.SKIPPED, NOON)
        assert entry.reason.startswith("Switched off: ")
        assert entry.reason.isprintable()
        said = Transition.objects.filter(subject="cluster", subject_id=row.cluster_id).last()
        assert said is not None
        assert said.reason.startswith("Switched off: ")
        assert Row.of(row.cluster, row).times == []
    assert services.claim_due(now=NOON + timedelta(minutes=1)) == []


def drained(cluster: Cluster, server: str = "ftp1") -> Drain:
    return Drain.objects.create(cluster=cluster, server=server, started_at=NOON)


def test_a_number_that_no_database_takes_stops_no_other_drain(world: World) -> None:
    first, second = clusters(world, 1)
    bad, other = drained(first), drained(first, "ftp2")
    good = drained(second)
    asked = {question.cluster_id: question for question in drains.claim(now=NOON)}
    assert set(asked) == {first.pk, second.pk}
    huge = Left(sessions=1, clients=1, clients_for=10**12)
    table = Table({"ftp1": huge, "ftp2": Left()}, master=True, forgets=False)
    emptied = drains.take(question=asked[first.pk], found=table, at=NOON)
    assert [row.pk for row in emptied] == [other.pk]
    assert (
        len(drains.take(question=asked[second.pk], found=Table({"ftp1": Left()}, master=True, forgets=False), at=NOON))
        == 1
    )
    for row in (bad, good):
        row.refresh_from_db()
    assert "lbftp itself failed (OverflowError" in bad.problem
    assert (bad.state, good.state) == (Drain.State.DRAINING, Drain.State.EMPTY)


def test_an_applied_revision_that_cannot_be_read_stops_no_other_drain(world: World) -> None:
    first, second = clusters(world, 1)
    bad = drained(first)
    drained(second)
    odd: tuple[Any, ...] = ({}, {"routers": 7}, {"name": "x", "routers": [[[]]]}, [], "x", {"real_servers": {"a": 1}})
    for spec in odd:
        Revision.objects.filter(pk=first.applied_id or 0).update(spec=spec)
        Drain.objects.update(asked_at=None, problem="")
        assert [q.cluster_id for q in drains.claim(now=NOON)] == [second.pk]
        bad.refresh_from_db()
        assert bad.problem


def test_a_router_s_odd_numbers_cost_no_other_cluster_its_own(world: World) -> None:
    first, second = clusters(world, 1)
    numbers.watch_all(now=timezone.now())
    looks = numbers.claim_due(now=timezone.now() + timedelta(seconds=1))
    assert looks
    look = looks[0]
    assert set(look.specs) == {first.pk, second.pk}
    found = reading.Numbers(uptime=5.0, boot="b", addresses=frozenset())
    broken = replace(look, specs={first.pk: None, second.pk: look.specs[second.pk]})  # type: ignore[dict-item]
    assert numbers.take(look=broken, found=found, at=timezone.now())
    assert set(Latest.objects.values_list("cluster_id", flat=True)) == {second.pk}
    assert "lbftp itself failed" in Watch.objects.get(router=look.router_id).problem


def test_a_run_that_cannot_be_told_of_stops_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both fell silent; of one the note cannot be written."""
    applied(world)
    now = timezone.now()
    rows = [
        Run.objects.create(
            team=world.team,
            kind="verify",
            cluster=world.cluster,
            state="running",
            heartbeat_at=now - timedelta(seconds=40),
            fence=1,
        )
        for _ in range(2)
    ]
    tell = sweep._tell_silence

    def odd(run: Run) -> None:
        if run.pk == rows[0].pk:
            raise ValueError("this row\x00")
        tell(run)

    monkeypatch.setattr(sweep, "_tell_silence", odd)
    sweep.sweep(now=now)
    assert rows[1].events.count() == 1


def test_many_odd_policies_each_end_alone(world: World) -> None:
    """Generated ones, among them good ones: what is good is started, whatever stands before it."""
    chance = random.Random(15)  # noqa: S311 - the same ones at each time
    made = clusters(world, SEVERAL)
    odd = set(chance.sample(range(len(made)), len(made) // 2))
    for number, cluster in enumerate(made):
        junk = "".join(chance.choices("\x01 \x1b*/5,-9aZ\u202eÄ", k=chance.randint(0, 40)))
        policy(cluster, **({chance.choice(["cron", "time_zone"]): junk} if number in odd else {}))
    begun = services.claim_due(now=NOON)
    assert {run.cluster_id for run in begun} >= {c.pk for n, c in enumerate(made) if n not in odd}
    assert Policy.objects.filter(enabled=True, next_due__lte=NOON).count() == 0
    assert Occurrence.objects.count() == len(made)
