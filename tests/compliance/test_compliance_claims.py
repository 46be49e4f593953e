from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from lbftp.changes import services as changes
from lbftp.changes.errors import Invalid, Refused
from lbftp.changes.models import Run
from lbftp.compliance import services
from lbftp.compliance.models import Occurrence, Policy
from tests import worlds
from tests.conftest import Race
from tests.worlds import World, applied, approved, finished

pytestmark = pytest.mark.django_db
S = Occurrence.State
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def policy(world: World, due: datetime = NOON, **changes: Any) -> Policy:
    """A policy of a cluster that was applied, every quarter of an hour, next due at `due`."""
    if world.cluster.applied is None:
        applied(world)
    values: dict[str, Any] = {"cron": "*/15 * * * *", "time_zone": "UTC", "action": "report", "enabled": True}
    worlds.scheduled(world, **{**values, **changes})
    row = Policy.objects.get(cluster=world.cluster)
    Policy.objects.filter(pk=row.pk).update(next_due=due)
    row.refresh_from_db()
    return row


def entries() -> list[tuple[datetime, str]]:
    return [(o.due, o.state) for o in Occurrence.objects.order_by("due")]


def test_what_is_due_is_started_once(world: World) -> None:
    row = policy(world, action="reapply")
    runs = services.claim_due(now=NOON + timedelta(seconds=5))
    assert [(r.kind, r.reapply, r.revision, r.started_by) for r in runs] == [
        (Run.Kind.COMPLY, True, world.cluster.applied, None)
    ]
    assert services.claim_due(now=NOON + timedelta(seconds=6)) == []
    row.refresh_from_db()
    assert row.next_due == NOON + timedelta(minutes=15)
    assert entries() == [(NOON, S.STARTED)]
    assert Occurrence.objects.get().run == runs[0]


def test_on_the_dot_is_due(world: World) -> None:
    policy(world)
    assert len(services.claim_due(now=NOON)) == 1
    assert entries() == [(NOON, S.STARTED)]


def test_nothing_is_due_early_or_when_disabled(world: World) -> None:
    row = policy(world)
    assert services.claim_due(now=NOON - timedelta(seconds=1)) == []
    Policy.objects.filter(pk=row.pk).update(enabled=False)
    assert services.claim_due(now=NOON + timedelta(hours=1)) == []


@pytest.mark.django_db(transaction=True)
def test_ticks_at_the_same_moment_give_one_run(world: World, race: Race) -> None:
    policy(world)
    results = race(*[lambda: services.claim_due(now=NOON + timedelta(seconds=1))] * 4)
    assert sorted(len(r) for r in results if isinstance(r, list)) == [0, 0, 0, 1]
    assert Run.objects.filter(kind=Run.Kind.COMPLY).count() == 1
    assert entries() == [(NOON, S.STARTED)]


def test_missed_times_are_rows_and_the_latest_is_done(world: World) -> None:
    row = policy(world)
    assert len(services.claim_due(now=NOON + timedelta(minutes=50))) == 1
    minutes = [(int((due - NOON).total_seconds() // 60), state) for due, state in entries()]
    assert minutes == [(0, S.MISSED), (15, S.MISSED), (30, S.MISSED), (45, S.STARTED)]
    row.refresh_from_db()
    assert row.next_due == NOON + timedelta(minutes=60)


def test_after_a_long_standstill_the_rows_are_bounded(world: World) -> None:
    policy(world, cron="* * * * *")
    assert len(services.claim_due(now=NOON + timedelta(days=400))) == 1
    assert [s for _, s in entries()] == [S.MISSED] * services.MOST_MISSED + [S.STARTED]
    assert entries()[-1][0] == NOON + timedelta(days=400)


@pytest.mark.parametrize("kind", ["apply", "comply"])
def test_a_cluster_that_is_being_worked_on_is_skipped(world: World, kind: str) -> None:
    policy(world)
    if kind == "apply":
        run = changes.apply_change(user=world.bob, change=approved(world))
    else:
        run = changes.comply(user=world.bob, cluster=world.cluster, reapply=False)
    assert services.claim_due(now=NOON) == []
    entry = Occurrence.objects.get()
    assert (entry.state, entry.run) == (S.SKIPPED, None)
    assert f"Run {run.pk}" in entry.reason
    finished(run)
    assert len(services.claim_due(now=NOON + timedelta(minutes=15))) == 1


def test_a_cluster_nothing_was_applied_to_is_skipped(world: World) -> None:
    row = Policy.objects.create(cluster=world.cluster, next_due=NOON)
    assert services.claim_due(now=NOON) == []
    assert Occurrence.objects.get().reason == "Nothing was applied to this cluster yet."
    row.refresh_from_db()
    assert row.next_due == NOON + timedelta(minutes=15)


def test_a_due_time_that_has_its_row_is_not_done_again(world: World) -> None:
    """As if a restored backup had set the clock of the policy back."""
    row = policy(world)
    Occurrence.objects.create(policy=row, due=NOON, state=S.STARTED)
    assert services.claim_due(now=NOON) == []


def test_setting_a_policy(world: World) -> None:
    row = policy(world, cron=" 0   6 * *  1-5 ", time_zone="Europe/Berlin")
    assert row.cron == "0 6 * * 1-5"
    again = services.set_policy(
        user=world.bob, cluster=world.cluster, cron="0 7 * * *", time_zone="UTC", action="report", enabled=False
    )
    assert isinstance(again, Policy)
    assert (again.pk, again.next_due) == (row.pk, None)
    assert Policy.objects.count() == 1


def test_a_new_policy_is_due_in_the_future(world: World) -> None:
    row = services.set_policy(
        user=world.bob, cluster=world.cluster, cron="* * * * *", time_zone="UTC", action="report", enabled=True
    )
    assert isinstance(row, Policy)
    assert row.next_due is not None
    assert timedelta(0) < row.next_due - timezone.now() <= timedelta(seconds=60)


@pytest.mark.parametrize(
    ("changes_", "field"),
    [
        ({"cron": "* * * *"}, "cron"),
        ({"cron": "* * * * * *"}, "cron"),
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": "0 0 31 2 *"}, "cron"),
        ({"cron": "0 0 * * MON#6"}, "cron"),
        ({"cron": "$(id) * * * *"}, "cron"),
        ({"cron": ""}, "cron"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"time_zone": ""}, "time_zone"),
        ({"action": "explode"}, "action"),
    ],
)
def test_bad_policies_are_refused_with_field_and_remedy(world: World, changes_: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        policy(world, **changes_)
    assert caught.value.problems[0]["field"] == field
    assert caught.value.problems[0]["remedy"]
    assert not Policy.objects.exists()


@pytest.mark.parametrize("who", ["victor", "mallory", "root"])
def test_who_may_not_set_a_policy(world: World, who: str) -> None:
    with pytest.raises(Refused):
        services.set_policy(
            user=getattr(world, who), cluster=world.cluster, cron="* * * * *", time_zone="UTC", action="report",
            enabled=True,
        )  # fmt: skip


def in_berlin(cron: str, start: datetime, count: int) -> list[str]:
    row = Policy(cron=cron, time_zone="Europe/Berlin")
    return [t.astimezone(UTC).strftime("%d %H:%M") for t in services.next_times(row, count, start)]


def test_daily_times_follow_the_wall_clock_through_summer_time() -> None:
    """In 2026 Berlin's clocks go forward on 29 March at 01:00 UTC and back on 25 October at 01:00 UTC."""
    assert in_berlin("0 6 * * *", datetime(2026, 3, 28, 0, 0, tzinfo=UTC), 3) == ["28 05:00", "29 04:00", "30 04:00"]
    assert in_berlin("0 6 * * *", datetime(2026, 10, 24, 0, 0, tzinfo=UTC), 3) == ["24 04:00", "25 05:00", "26 05:00"]


def test_a_time_that_does_not_exist_comes_once_right_after() -> None:
    assert in_berlin("30 2 * * *", datetime(2026, 3, 28, 0, 0, tzinfo=UTC), 3) == ["28 01:30", "29 01:00", "30 00:30"]


def test_a_time_that_exists_twice_comes_once() -> None:
    assert in_berlin("30 2 * * *", datetime(2026, 10, 24, 12, 0, tzinfo=UTC), 2) == ["25 00:30", "26 01:30"]


def test_intervals_go_on_through_the_hour_that_is_there_twice() -> None:
    assert in_berlin("*/30 * * * *", datetime(2026, 10, 25, 0, 1, tzinfo=UTC), 4) == [
        "25 00:30", "25 01:00", "25 01:30", "25 02:00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("start", "cron", "hours", "states"),
    [
        (datetime(2026, 3, 29, 0, 0, tzinfo=UTC), "0 * * * *", 3, 4),
        (datetime(2026, 10, 25, 0, 0, tzinfo=UTC), "0 * * * *", 3, 4),
    ],
)
def test_missed_times_across_the_change_of_clocks(
    world: World, start: datetime, cron: str, hours: int, states: int
) -> None:
    policy(world, start, cron=cron, time_zone="Europe/Berlin")
    services.claim_due(now=start + timedelta(hours=hours))
    assert [due for due, _ in entries()] == [start + timedelta(hours=h) for h in range(states)]


@pytest.mark.parametrize(
    ("cron", "words"),
    [("*/15 * * * *", "Every 15 minutes"), ("0 6 * * 1-5", "At 06:00 AM, Monday through Friday"), ("bad", "bad")],
)
def test_in_words(cron: str, words: str) -> None:
    assert services.in_words(cron) == words
