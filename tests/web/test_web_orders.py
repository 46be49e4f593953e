"""What people tell a run on its page: cancel, put back now, extend; guards counting down; dry runs."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from lbftp.accounts.models import Role
from lbftp.changes.models import ChangeRequest, Run
from lbftp.changes.services import apply_change, cancel, dry_run, events, runs
from lbftp.core.job import Event
from tests.web.conftest import As
from tests.worlds import World, approved, claimed, finished, proposed


def guard(state: str = "armed", seconds: int = 120) -> Event:
    return Event("guard", "r1", {"state": state, "seconds": seconds, "until": None})


class Going:
    """An apply run that bob started and a worker has claimed."""

    def __init__(self, world: World, browse: As) -> None:
        self.browse = browse
        self.run = apply_change(user=world.bob, change=approved(world))
        self.job = claimed(self.run)

    def record(self, *found: Event) -> None:
        events.record(run_id=self.run.pk, fence=self.job.fence, events=found)

    def until(self) -> datetime:
        """When the guard puts back, as the last event says: the database's clock when it came, and its seconds."""
        event = self.run.events.filter(kind="guard").last()
        assert event is not None
        return datetime.fromisoformat(event.data["until"])

    def end(self, state: str, outcome: str) -> None:
        runs.finish(run_id=self.run.pk, fence=self.job.fence, state=state, outcome=outcome, result={})

    def page(self, who: Any) -> str:
        return self.browse(who).get(reverse("changes:run", args=[self.run.pk])).content.decode()

    def press(self, who: Any, name: str) -> str:
        return self.browse(who).post(reverse(name, args=[self.run.pk]), follow=True).content.decode()


def test_operators_cancel_after_a_second_thought(world: World, browse: As) -> None:
    going = Going(world, browse)
    page = going.page(world.carol)
    # The button that does it is inside what has to be opened first.
    assert re.search(r'<details id="cancel">.*?<button type="submit" class="danger">Yes, cancel it', page, re.DOTALL)
    assert 'id="cancel"' not in going.page(world.victor)
    after = going.press(world.carol, "changes:run-cancel")
    assert "carol cancelled it: it stops before its next step" in after
    assert "Being cancelled" in after
    assert 'id="cancel"' not in after
    assert "carol has cancelled it already" in going.press(world.bob, "changes:run-cancel")
    going.record(Event("phase", "", {"name": "apply", "title": "Apply"}))
    going.record(Event("phase", "", {"name": "restore", "title": "Put back what was there"}))
    going.end("cancelled", "Cancelled by carol. What was there before was put back on r1.")
    ended = going.page(world.victor)
    assert re.search(r'class="state idle lg">.*?Cancelled</span>', ended)
    assert "Cancelled by carol. What was there before was put back on r1." in ended
    # But for the empty place where a page says that its session ended.
    assert ended.count('role="alert"') == 1
    # What was stopped is not shown as done.
    assert re.search(r'<li class="cancelled">.*?Apply<span', ended)
    assert re.search(r'<li class="done">.*?Put back what was there<span', ended)


def test_whoever_started_it_keeps_the_button(world: World, browse: As) -> None:
    going = Going(world, browse)
    world.bob.memberships.update(role=Role.VIEWER)
    assert 'id="cancel"' in going.page(world.bob)
    assert "bob cancelled it" in going.press(world.bob, "changes:run-cancel")


def test_a_waiting_run_ends_at_once(world: World, browse: As) -> None:
    run = apply_change(user=world.bob, change=approved(world))
    bob = browse(world.bob)
    assert b"No worker has taken it yet: it ends at once" in bob.get(reverse("changes:run", args=[run.pk])).content
    page = bob.post(reverse("changes:run-cancel", args=[run.pk]), follow=True).content.decode()
    assert "Cancelled by bob. No worker had taken it." in page
    assert 'data-live=""' in page
    change = bob.get(reverse("changes:change", args=[ChangeRequest.objects.get().pk])).content.decode()
    assert "Apply now" in change


def test_each_router_s_guard_counts_down_and_tells_its_end(world: World, browse: As) -> None:
    going = Going(world, browse)
    going.record(Event("steps", "", {"steps": [{"router": "r1", "id": "a", "title": "A", "phase": "run"}]}))
    assert "data-guard" not in going.page(world.bob)
    going.record(Event("checkpoint", "r1", {"name": "run-7-ab12"}), guard())
    page = going.page(world.bob)
    first = going.until()
    when = first.isoformat()
    # The script counts down to `data-until`; without it the time itself stands there.
    shown = f'<time datetime="{when}" data-until="{when}">at {first:%H:%M:%S} UTC</time>'
    assert f"puts back {shown} unless confirmed" in page
    assert "<code>sh /var/lib/lbftp/checkpoints/run-7-ab12/restore</code>" in page
    assert "Yes, put it back" in page
    going.record(guard("extended", 3600))
    assert going.until() - first > timedelta(minutes=50)
    assert f"at {going.until():%H:%M:%S} UTC" in going.page(world.bob)
    going.record(guard("confirmed", 0))
    page = going.page(world.bob)
    assert "Guard: confirmed" in page
    assert "data-until" not in page
    assert "Put back now" not in page
    going.record(guard("restored", 0))
    assert "Put back as it was" in going.page(world.bob)


def test_a_guard_that_nobody_confirmed_says_when_it_was_to_put_back(world: World, browse: As) -> None:
    going = Going(world, browse)
    going.record(guard())
    going.end("failed", "r1 cannot be reached.")
    page = going.page(world.victor)
    assert "data-until" not in page
    assert f"{going.until():%H:%M:%S} UTC</time> what nobody confirmed" in page


def test_extending_reaches_the_worker_and_the_page(world: World, browse: As) -> None:
    going = Going(world, browse)
    assert 'id="extend"' not in going.page(world.bob)
    going.record(guard())
    assert 'id="extend"' in going.page(world.bob)
    assert 'id="extend"' not in going.page(world.victor)
    assert "carol lets the guards start anew." in going.press(world.carol, "changes:run-extend")
    orders = runs.heartbeat(run_id=going.run.pk, fence=going.job.fence)
    assert orders is not None
    assert orders.extend


@pytest.mark.parametrize("name", ["<b>", "x;reboot"])
def test_the_command_for_the_console_is_escaped(world: World, browse: As, name: str) -> None:
    going = Going(world, browse)
    going.record(Event("checkpoint", "r1", {"name": name}))
    assert f"/checkpoints/{name.replace('<', '&lt;').replace('>', '&gt;')}/restore" in going.page(world.bob)


def test_a_worker_that_fell_silent_is_no_running_one(world: World, browse: As) -> None:
    going = Going(world, browse)
    assert "Its worker is silent" not in going.page(world.bob)
    Run.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=31))
    page = going.page(world.bob)
    assert "Its worker is silent" in page
    assert "Another worker takes the run over" in page


def test_a_dry_run_needs_no_approval_and_is_called_one_everywhere(world: World, browse: As) -> None:
    change = proposed(world)
    bob = browse(world.bob)
    url = reverse("changes:change", args=[change.pk])
    assert 'id="dry-run"' in bob.get(url).content.decode()
    assert 'id="dry-run"' not in browse(world.victor).get(url).content.decode()
    answer = bob.post(reverse("changes:dry-run", args=[change.pk]))
    run = Run.objects.get(dry=True)
    assert answer["Location"] == reverse("changes:run", args=[run.pk])
    waiting = bob.get("/").content.decode()
    assert "Dry run · web" in waiting
    finished(run)
    places = (
        reverse("changes:run", args=[run.pk]),
        reverse("changes:runs"),
        reverse("changes:audit"),
        reverse("clusters:cluster", args=[world.cluster.pk]),
        url,
    )
    for place in places:
        page = bob.get(place).content.decode()
        assert "Dry run" in page, place
        assert ">Apply</a>" not in page, place
    assert "Waiting for approval" in bob.get(url).content.decode()


def test_the_change_s_page_goes_by_its_real_runs(world: World, browse: As) -> None:
    change = approved(world)
    finished(dry_run(user=world.bob, change=change), "failed")
    run = apply_change(user=world.bob, change=change)
    page = browse(world.bob).get(reverse("changes:change", args=[change.pk])).content.decode()
    assert f'href="{reverse("changes:run", args=[run.pk])}">Watch the run' in page
    assert "It failed." in page


def test_a_cancelled_run_is_in_every_list(world: World, browse: As) -> None:
    cancel(user=world.bob, run=apply_change(user=world.bob, change=approved(world)))
    for place in (reverse("changes:runs"), reverse("clusters:cluster", args=[world.cluster.pk])):
        assert "Cancelled" in browse(world.victor).get(place).content.decode()
