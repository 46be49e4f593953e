"""Settings by which changes are secured leave a row in the audit when somebody changes them."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from lbftp.changes import services
from lbftp.changes.audit import entries
from lbftp.changes.models import Transition
from lbftp.clusters.models import Cluster
from lbftp.clusters.services import dump, load, set_approvals_required
from lbftp.compliance.services import set_policy
from tests.worlds import World, applied, approved, claimed


def rows(world: World) -> list[tuple[str, str]]:
    found = Transition.objects.filter(subject="cluster", subject_id=world.cluster.pk).select_related("user")
    return [(str(row.user), row.reason) for row in found if row.old == row.new and row.reason]


def saved(world: World, **changes: object) -> None:
    cluster = Cluster.objects.get(pk=world.cluster.pk)
    load(user=world.bob, team=world.team, data={**dump(cluster), **changes})


def test_who_changed_what_is_told_once(world: World) -> None:
    saved(world)
    assert rows(world) == []
    saved(world, confirm_by_hand=True, guard_seconds=300)
    saved(world, confirm_by_hand=True, guard_seconds=300, comment="Another")
    saved(world, confirm_by_hand=False, guard_seconds=300)
    set_approvals_required(user=world.alice, cluster=world.cluster, number=2)
    set_approvals_required(user=world.alice, cluster=world.cluster, number=2)
    assert rows(world) == [
        ("bob", "A person confirms each change. Routers put back after 300 s what nobody confirms; before: 120 s."),
        ("bob", "No person confirms changes any more."),
        ("alice", "A change needs 2 approvals; before: 1."),
    ]
    assert Cluster.objects.get(pk=world.cluster.pk).approvals_required == 2


def test_a_changed_schedule_is_a_setting(world: World) -> None:
    values: dict[str, Any] = {"cron": "*/15 * * * *", "time_zone": "UTC", "action": "report", "enabled": True}
    for changes in ({"enabled": False}, {}, {}, {"time_zone": "Europe/Vienna"}, {"enabled": False}):
        set_policy(user=world.bob, cluster=world.cluster, **{**values, **changes})
    assert rows(world) == [
        ("bob", "Looked at by itself: Every 15 minutes (*/15 * * * *, UTC). Report drift."),
        ("bob", "Looked at by itself: Every 15 minutes (*/15 * * * *, Europe/Vienna). Report drift."),
        ("bob", "Not looked at by itself."),
    ]


def test_the_audit_says_that_it_is_a_setting(world: World) -> None:
    saved(world, guard_seconds=300)
    (one,) = entries(list(Transition.objects.filter(subject="cluster").exclude(reason="")))
    assert (one.name, one.url) == ("web", reverse("clusters:cluster", args=[world.cluster.pk]))
    assert (one.old, one.new, one.look) == ("", "Draft loaded from a file", "info")
    assert "300 s" in one.row.reason


def test_a_setting_changed_meanwhile_does_not_hide_what_the_cluster_was(world: World) -> None:
    """A cancelled apply puts the cluster's state back to what it was before."""
    applied(world)
    run = services.apply_change(user=world.bob, change=approved(world))
    job = claimed(run)
    assert Cluster.objects.get(pk=world.cluster.pk).state == "applying"
    saved(world, guard_seconds=300)
    services.runs.finish(run_id=run.pk, fence=job.fence, state="cancelled", outcome="Cancelled.", result={})
    assert Cluster.objects.get(pk=world.cluster.pk).state == "in_step"
