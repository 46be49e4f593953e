"""The audit page shows every kind of row, escaped."""

from __future__ import annotations

from django.urls import reverse

from lbftp.changes import trail
from tests.web.conftest import As
from tests.worlds import World


def test_the_page_shows_them(world: World, browse: As) -> None:
    trail.record(
        team=world.team,
        user=world.alice,
        subject="machine",
        subject_id=1,
        name="r1 <b>",
        what="Interfaces chosen.",
        before={"public": "eth0"},
        after={"public": "eth1"},
    )

    page = browse(world.victor).get(f"{reverse('changes:audit')}?subject=machine").content.decode()

    assert "Interfaces chosen." in page
    assert "r1 &lt;b&gt;" in page
    assert "<del>eth0</del>" in page
    assert "<ins>eth1</ins>" in page
