from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from lbftp.changes import services
from lbftp.changes.models import ChangeRequest, Run
from lbftp.proofs.models import Rest, Window
from lbftp.proofs.services import proposing, windows
from tests.web.conftest import As
from tests.worlds import World, applied, finished, planned

ALWAYS = {"cron": "* * * * *", "minutes": 60, "time_zone": "UTC", "enabled": "on"}
BOOT: dict[str, Any] = {"seconds": 61.2, "moved_in": 0.7, "state": "running", "gone": [], "failed_units": []}


@pytest.fixture
def ready(world: World) -> World:
    applied(world)
    return world


def at(name: str, world: World) -> str:
    return reverse(f"proofs:{name}", args=[world.cluster.pk])


def shown(browse: As, world: World, url: str, who: str = "bob") -> str:
    return browse(getattr(world, who)).get(url).content.decode()


def proposed(browse: As, world: World, kind: str, **typed: Any) -> ChangeRequest:
    """By bob, on the page; planned."""
    answer = browse(world.bob).post(at(kind, world), {"reason": "Ticket 9", **typed})
    change = ChangeRequest.objects.latest("pk")
    assert answer["Location"] == reverse("changes:change", args=[change.pk])
    planned(change.runs.get())
    change.refresh_from_db()
    return change


def test_each_kind_is_proposed_by_its_form(ready: World, browse: As) -> None:
    made = [
        proposed(browse, ready, "restart", foreign="put-back"),
        proposed(browse, ready, "reboot", routers=["r2"], patience="300"),
        proposed(browse, ready, "failover"),
        proposed(browse, ready, "maintenance", router="r2"),
    ]
    assert [(c.kind, c.params, c.reason) for c in made] == [
        ("restart", {"foreign": "put-back"}, "Ticket 9"),
        ("reboot", {"routers": ["r2"], "patience": 300}, "Ticket 9"),
        ("failover", {}, "Ticket 9"),
        ("maintenance", {"router": "r2", "out": True}, "Ticket 9"),
    ]
    page = shown(browse, ready, reverse("changes:change", args=[made[1].pk]))
    assert "reboot proof of" in page
    assert "Waiting for approval" in page
    assert "Start now" not in page


@pytest.mark.parametrize(
    ("kind", "typed", "field"),
    [
        ("restart", {"foreign": "all"}, "foreign"),
        ("reboot", {"routers": ["r9"], "patience": "300"}, "routers"),
        ("reboot", {"routers": ["r1"], "patience": "3"}, "patience"),
        ("maintenance", {"router": "r9"}, "router"),
    ],
)
def test_a_wrong_choice_comes_back_with_the_reason(
    ready: World, browse: As, kind: str, typed: dict[str, Any], field: str
) -> None:
    answer = browse(ready.bob).post(at(kind, ready), typed)
    assert answer.status_code == 422
    assert f'id="id_{field}_error"' in answer.content.decode()
    assert not ChangeRequest.objects.exclude(kind="revision").exists()


def test_nothing_can_be_proposed_before_something_is_applied(world: World, browse: As) -> None:
    assert "Reboot proof" not in shown(browse, world, at("cluster", world))
    answer = browse(world.bob).post(at("failover", world), {})
    assert answer.status_code == 422
    assert "apply a change first" in answer.content.decode()


def test_in_the_window_the_page_offers_to_start(ready: World, browse: As) -> None:
    early = proposed(browse, ready, "restart", foreign="refuse")
    assert browse(ready.alice).post(at("window", ready), ALWAYS)["Location"] == at("cluster", ready)
    page = shown(browse, ready, reverse("changes:change", args=[early.pk]))
    assert "was set after this change was proposed" in page
    assert "Start now" not in page
    change = proposed(browse, ready, "restart", foreign="refuse")
    url = reverse("changes:change", args=[change.pk])
    page = shown(browse, ready, url)
    assert "Start now" in page
    assert "The maintenance window of web is open until" in page
    assert "Start now" not in shown(browse, ready, url, "victor")
    answer = browse(ready.bob).post(reverse("changes:apply", args=[change.pk]))
    assert answer["Location"] == reverse("changes:run", args=[Run.objects.latest("pk").pk])


def test_a_wrong_window_stays_in_the_form(ready: World, browse: As) -> None:
    answer = browse(ready.alice).post(at("window", ready), {**ALWAYS, "cron": "99 * * * *"})
    assert answer.status_code == 422
    assert 'value="99 * * * *"' in answer.content.decode()
    assert not Window.objects.exists()


def test_the_window_is_told_in_its_own_zone(ready: World, browse: As) -> None:
    windows.set_window(
        user=ready.alice, cluster=ready.cluster, cron="30 2 * * 0", minutes=90, time_zone="Asia/Tokyo", enabled=True
    )
    page = shown(browse, ready, at("cluster", ready), "victor")
    assert "02:30 JST" in page
    assert "Save" not in page


def test_the_last_proof_is_shown_with_the_cluster_and_its_numbers_with_the_run(ready: World, browse: As) -> None:
    change = proposed(browse, ready, "reboot", routers=["r2"], patience="300")
    services.approve(user=ready.carol, change=change, plan_digest=change.plan_digest)
    run = finished(services.apply_change(user=ready.bob, change=change), master="r1", reboot={"r2": BOOT})
    for url in (reverse("clusters:cluster", args=[ready.cluster.pk]), at("cluster", ready)):
        page = shown(browse, ready, url, "victor")
        assert "r2: complete" in page
        assert page.count("not tried") >= 2
    page = shown(browse, ready, reverse("changes:run", args=[run.pk]), "victor")
    assert "Complete after" in page
    assert "61 s" in page


def test_a_router_in_maintenance_is_told_everywhere_and_brought_back(ready: World, browse: As) -> None:
    Rest.objects.create(router=ready.r1, by=ready.alice, reason="New disk")
    for url in (reverse("clusters:cluster", args=[ready.cluster.pk]), at("cluster", ready), at("restart", ready)):
        page = shown(browse, ready, url)
        assert "r1 is in maintenance" in page
        assert "New disk" in page
    change = proposed(browse, ready, "maintenance", router="r1")
    assert change.params == {"router": "r1", "out": False}
    assert "Bringing a router back needs no other" in shown(browse, ready, reverse("changes:change", args=[change.pk]))
    finished(services.apply_change(user=ready.bob, change=change))
    assert not Rest.objects.exists()


def test_what_people_typed_is_escaped(ready: World, browse: As) -> None:
    evil = '<img src=x onerror="alert(1)">'
    Rest.objects.create(router=ready.r1, by=ready.alice, reason=evil)
    proposing.restart(user=ready.bob, cluster=ready.cluster, reason=evil)
    for url in (reverse("clusters:cluster", args=[ready.cluster.pk]), at("cluster", ready)):
        page = shown(browse, ready, url)
        assert "<img src=x" not in page
        assert "&lt;img src=x" in page


def test_the_fleet_says_that_a_router_is_in_maintenance(world: World, browse: As) -> None:
    page = browse(world.victor).get(reverse("home")).content.decode()
    assert "in maintenance" not in page
    Rest.objects.create(router=world.r2, by=world.alice, reason="New disk")
    for address in (reverse("home"), reverse("home-live")):
        page = browse(world.victor).get(address).content.decode()
        assert '<span class="state warn ">' in page.partition('class="rest"')[2].partition("</a>")[0]
        assert "r2 in maintenance" in page
        assert "New disk" in page
