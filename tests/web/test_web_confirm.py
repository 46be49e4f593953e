"""A run that waits for a person, on its page; and what goes on in each phase, in plain words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import reverse

from lbftp.changes.models import Run
from lbftp.changes.services import apply_change, events
from lbftp.core.job import Event
from tests.web.conftest import As
from tests.worlds import World, approved, claimed


class Going:
    def __init__(self, world: World, browse: As) -> None:
        self.browse = browse
        self.run = apply_change(user=world.bob, change=approved(world))
        self.fence = 0

    def phase(self, name: str) -> None:
        self.fence = self.fence or claimed(self.run).fence
        found = [Event("phase", "", {"name": name, "title": name})]
        found.append(Event("guard", "r1", {"state": "extended", "seconds": 120, "until": None}))
        events.record(run_id=self.run.pk, fence=self.fence, events=found)

    def page(self, who: Any) -> str:
        return self.browse(who).get(reverse("changes:run", args=[self.run.pk])).content.decode()

    def words(self, who: Any) -> str:
        found = re.search(r'id="words">([^<]*)<', self.page(who))
        return found[1] if found else ""


def test_buttons_to_confirm_extend_and_put_back(world: World, browse: As) -> None:
    going = Going(world, browse)
    going.phase("persist")
    assert 'id="confirm"' not in going.page(world.carol)
    going.phase("await")
    page = going.page(world.carol)
    assert [name for name in ("confirm", "extend", "cancel") if f'id="{name}"' not in page] == []
    assert "Waits for a person to confirm" in page
    assert "Yes, put it back" in page
    assert 'data-until="' in page
    assert 'id="confirm"' not in going.page(world.victor)
    after = browse(world.carol).post(reverse("changes:run-confirm", args=[going.run.pk]), follow=True).content.decode()
    assert "carol confirmed it: the change stays." in after
    assert 'id="confirm"' not in after
    assert 'id="cancel"' not in after
    assert Run.objects.get(pk=going.run.pk).confirmed_by == world.carol


@pytest.mark.parametrize(
    ("phase", "part"),
    [
        ("wait", "goes on by itself"),
        ("observe", "Nothing is changed"),
        ("rehearse", "Nothing is changed on any router"),
        ("checkpoint", "before all of them have both"),
        ("apply", "A reboot would still undo it"),
        ("prove", "real FTP sessions"),
        ("persist", "kept over a reboot"),
        ("await", "if a person confirms it"),
        ("confirm", "From here on the change stays"),
        ("restore", "is put back on every router"),
    ],
)
def test_what_goes_on_is_said(world: World, browse: As, phase: str, part: str) -> None:
    going = Going(world, browse)
    assert "No worker has taken it" in going.words(world.victor)
    going.phase(phase)
    assert part in going.words(world.victor).replace("&#x27;", "'")
