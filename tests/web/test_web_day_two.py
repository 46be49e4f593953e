"""Pages of real servers in rotation: buttons ask for changes, numbers are shown, administrators decide who may."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from lbftp.changes import services
from lbftp.changes.models import ChangeRequest
from lbftp.daytwo.models import Drain
from lbftp.daytwo.services import acting
from tests.web.conftest import As
from tests.worlds import World, applied, finished, planned


@pytest.fixture
def running(world: World) -> World:
    applied(world)
    return world


def url(world: World, name: str = "cluster") -> str:
    return reverse(f"daytwo:{name}", args=[world.cluster.pk])


def text(response: Any) -> str:
    return str(response.content.decode())


def drain(world: World) -> ChangeRequest:
    """ftp1 is drained by bob, alone."""
    acting.allow_operators(user=world.alice, cluster=world.cluster, alone=True)
    change = acting.drain(user=world.bob, cluster=world.cluster, server="ftp1")
    planned(change.runs.get())
    finished(services.apply_change(user=world.bob, change=ChangeRequest.objects.get(pk=change.pk)))
    return change


def test_a_button_asks_for_the_change_and_shows_it(running: World, browse: As) -> None:
    page = browse(running.bob).post(url(running, "drain"), {"server": "ftp1"})
    change = ChangeRequest.objects.latest("pk")
    assert page.headers["Location"] == reverse("changes:change", args=[change.pk])
    assert change.title == "Drain ftp1"
    planned(change.runs.get())
    assert 'id="apply"' not in text(browse(running.bob).get(page.headers["Location"]))
    services.reject(user=running.bob, change=change, reason="Asked for anew")
    browse(running.alice).post(url(running, "alone"), {"alone": "on"})
    page = browse(running.bob).post(url(running, "drain"), {"server": "ftp1"})
    planned(ChangeRequest.objects.latest("pk").runs.get())
    shown = text(browse(running.bob).get(page.headers["Location"]))
    assert 'id="apply"' in shown
    assert "operators of web may do these alone" in shown


def test_what_is_refused_is_said_on_the_page(running: World, browse: As) -> None:
    bob = browse(running.bob)
    for verb, values, words in [
        ("drain", {"server": "ftp9"}, "no real server of"),
        ("weight", {"server": "ftp1", "weight": "70000"}, "less than or equal"),
        ("weight", {"server": "ftp1", "weight": "1"}, "It is so already"),
        ("enable", {"server": "ftp1"}, "in rotation already"),
        ("sorry", {"address": "$(reboot)"}, "valid IPv4"),
    ]:
        page = text(bob.post(url(running, verb), values, follow=True))
        assert words in page, verb
    assert running.cluster.changes.count() == 1


def test_sessions_left_are_shown_live(running: World, browse: As) -> None:
    drain(running)
    now = timezone.now()
    numbers = {"sessions_left": 2, "transfers_left": 1, "clients_left": 4, "until": now + timedelta(minutes=3)}
    Drain.objects.update(looked_at=now, **numbers)
    for address in (url(running), url(running, "cluster-live"), reverse("clusters:cluster", args=[running.cluster.pk])):
        page = text(browse(running.victor).get(address))
        assert "2 sessions, 1 transfer left" in page
        assert "4 clients may come back" in page
        assert 'data-live="/ws/fleet/"' in page
    Drain.objects.update(sessions_left=0, transfers_left=0, state="empty", problem="r1: it does not answer")
    page = text(browse(running.victor).get(url(running)))
    assert "0 sessions left" in page
    assert "r1: it does not answer" in page


def test_one_click_undoes_it(running: World, browse: As) -> None:
    change = drain(running)
    bob = browse(running.bob)
    undo = reverse("daytwo:undo", args=[change.pk])
    assert undo in text(bob.get(url(running)))
    assert undo in text(bob.get(reverse("changes:change", args=[change.pk])))
    bob.post(undo)
    assert ChangeRequest.objects.latest("pk").title == "Bring ftp1 back with weight 1"


def test_drains_are_in_the_audit(running: World, browse: As) -> None:
    drain(running)
    page = text(browse(running.bob).get(reverse("changes:audit") + "?subject=drain"))
    assert "ftp1 of web" in page
    assert reverse("daytwo:drained", args=[Drain.objects.get().pk]) in page


def test_viewers_have_no_buttons(running: World, browse: As) -> None:
    drain(running)
    assert 'method="post"' not in text(browse(running.victor).get(url(running))).partition("<main")[2]
    assert url(running, "alone") not in text(browse(running.bob).get(url(running)))


def test_before_anything_is_applied_the_page_says_so(world: World, browse: As) -> None:
    assert "Nothing of this cluster is applied yet" in text(browse(world.bob).get(url(world)))


def test_what_operators_may_do_alone_does_not_wait_for_approval(running: World, browse: As) -> None:
    change = acting.drain(user=running.bob, cluster=running.cluster, server="ftp1")
    planned(change.runs.get())
    assert "Drain ftp1</a>: waiting for approval" in text(browse(running.bob).get(url(running)))
    services.reject(user=running.bob, change=change, reason="Asked for anew")
    acting.allow_operators(user=running.alice, cluster=running.cluster, alone=True)
    planned(acting.drain(user=running.bob, cluster=running.cluster, server="ftp1").runs.get())
    page = text(browse(running.bob).get(url(running)))
    assert "Drain ftp1</a>: planned, an operator may apply it" in page
    assert "operators of web may do these alone" in page
    assert "waiting for approval" not in page.partition('id="day-two"')[2]
