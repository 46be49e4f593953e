"""What is no move of state leaves a row as well: who, what, from what to what, and how the act came."""

from __future__ import annotations

import pytest

from lbftp.changes import origin, trail
from lbftp.changes.audit import entries
from lbftp.changes.models import Transition
from tests.worlds import World


def test_a_row_tells_who_did_what(world: World) -> None:
    row = trail.record(
        team=world.team,
        user=world.alice,
        subject="credential",
        subject_id=7,
        name="key of the routers",
        what="Secret replaced.",
        before={"use_sudo": False, "sources": ["192.0.2.1", "192.0.2.2"]},
        after={"use_sudo": True},
    )

    (entry,) = entries([Transition.objects.get(pk=row.pk)])

    assert (entry.name, entry.url, entry.new) == ("key of the routers", "", "Secret replaced.")
    assert (entry.who, entry.origin) == ("alice", "")
    assert [(v.label, v.before, v.after) for v in entry.values] == [
        ("Use sudo", "no", "yes"),
        ("Sources", "192.0.2.1, 192.0.2.2", ""),
    ]


def test_rows_outlive_the_account(world: World) -> None:
    trail.record(team=world.team, user=world.carol, subject="person", subject_id=1, name="dave", what="Added.")
    world.carol.memberships.all().delete()
    world.carol.delete()

    (entry,) = entries(list(Transition.objects.filter(subject="person")))

    assert entry.who == "carol"


def test_nobody_is_lbftp_itself(world: World) -> None:
    trail.record(team=world.team, user=None, subject="team", subject_id=1, name="net", what="Made.")
    (entry,) = entries(list(Transition.objects.filter(subject="team")))
    assert entry.who == "lbftp itself"


def test_how_an_act_came_is_in_its_row(world: World) -> None:
    with origin.acting("by the command line, system account root"):
        row = trail.record(
            team=world.team, user=world.alice, subject="person", subject_id=1, name="dave", what="Added."
        )

    assert row.origin == "by the command line, system account root"
    assert origin.present() == ""


def test_an_unknown_kind_is_a_mistake(world: World) -> None:
    with pytest.raises(ValueError, match="no kind of audit row"):
        trail.record(team=world.team, user=None, subject="weather", subject_id=1, name="x", what="Rain.")
