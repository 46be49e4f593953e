"""Day-two changes: what they become, who may do them alone, what a drain's row says while the world goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lbftp.changes import approvals, services
from lbftp.changes.errors import Invalid, Refused, StalePlan
from lbftp.changes.models import ChangeRequest, Transition
from lbftp.clusters.forms import ClusterForm
from lbftp.clusters.models import Cluster
from lbftp.clusters.specs import spec_of
from lbftp.core.sessions_left import Left, Table
from lbftp.core.spec import from_json
from lbftp.daytwo import page
from lbftp.daytwo.models import Drain
from lbftp.daytwo.services import acting, drains, rules
from tests.conftest import Race
from tests.worlds import World, applied, edit, finished, planned, proposed

FTP1_DRAINED, FTP2 = {"name": "ftp1", "weight": 0}, {"name": "ftp2", "weight": 1}
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def running(world: World) -> World:
    """The cluster is applied."""
    applied(world)
    return world


def fresh(world: World) -> Cluster:
    world.cluster = Cluster.objects.select_related("team", "applied").get(pk=world.cluster.pk)
    return world.cluster


def waiting(change: ChangeRequest) -> ChangeRequest:
    """Planned; as the database has it."""
    planned(change.runs.get())
    return ChangeRequest.objects.get(pk=change.pk)


def done(world: World, change: ChangeRequest) -> ChangeRequest:
    """Planned and applied with nobody's approval."""
    finished(services.apply_change(user=world.bob, change=waiting(change)))
    fresh(world)
    return ChangeRequest.objects.get(pk=change.pk)


def alone(world: World) -> None:
    acting.allow_operators(user=world.alice, cluster=fresh(world), alone=True)


def drained(world: World) -> Drain:
    alone(world)
    done(world, acting.drain(user=world.bob, cluster=world.cluster, server="ftp1"))
    return Drain.objects.get()


def in_step(cluster: Cluster) -> bool:
    """Whether the draft is what is applied."""
    return cluster.applied is not None and spec_of(cluster) == from_json(cluster.applied.spec)


def weights(cluster: Cluster) -> dict[str, int]:
    assert cluster.applied
    return {s.name: s.weight for s in from_json(cluster.applied.spec).real_servers}


def say(world: World, now: datetime, left: Left, *, forgets: bool = False) -> Drain:
    (question,) = drains.claim(now=now)
    drains.take(question=question, found=Table({"ftp1": left}, master=True, forgets=forgets), at=now)
    return Drain.objects.get()


def test_a_day_two_change_starts_from_what_is_applied_and_reaches_the_draft(running: World) -> None:
    """What somebody is editing has no part in it, and is not lost by it."""
    edit(running, running.carol, persistence_timeout=60)
    alone(running)
    change = done(running, acting.drain(user=running.bob, cluster=running.cluster, server="ftp1", reason="disk"))
    assert (change.title, change.state) == ("Drain ftp1", "applied")
    assert weights(running.cluster) == {"ftp1": 0, "ftp2": 1}
    assert from_json(change.revision.spec).persistence_timeout == 360
    spec = spec_of(running.cluster)
    assert (spec.persistence_timeout, spec.real_servers[0].weight) == (60, 0)
    assert set(running.cluster.draft_editors.all()) == {running.carol}


def test_it_needs_somebody_else_unless_the_cluster_allows_it(running: World) -> None:
    change = waiting(acting.drain(user=running.bob, cluster=running.cluster, server="ftp1"))
    assert approvals.excuse(change) == ""
    assert "own change" in approvals.hindrance(change, running.bob)
    with pytest.raises(Refused, match="Only an approved change"):
        services.apply_change(user=running.bob, change=change)
    services.reject(user=running.bob, change=change, reason="Asked for anew")
    alone(running)
    running.cluster.refresh_from_db()
    change = waiting(acting.drain(user=running.bob, cluster=running.cluster, server="ftp1"))
    assert "operators of web may do these alone" in approvals.excuse(change)
    services.apply_change(user=running.bob, change=change)
    moved = Transition.objects.get(subject="change", subject_id=change.pk, new="approved")
    assert moved.user == running.bob
    assert "alone" in moved.reason


def test_only_administrators_allow_it_and_it_is_in_the_history(running: World) -> None:
    for user in (running.bob, running.victor, running.mallory, running.root):
        with pytest.raises(Refused):
            acting.allow_operators(user=user, cluster=running.cluster, alone=True)
    alone(running)
    alone(running)
    rows = Transition.objects.filter(subject="cluster", reason__startswith="Operators may")
    assert [row.user for row in rows] == [running.alice]


def test_what_a_change_is_is_read_from_its_difference(running: World) -> None:
    """The mark alone excuses nothing, and a change that is no day-two change is never excused."""
    alone(running)
    edit(running, running.bob, persistence_timeout=600, real_servers=[FTP1_DRAINED, FTP2])
    smuggled = proposed(running, running.bob)
    assert approvals.excuse(smuggled) == ""
    smuggled.params = {"day_two": {"base": running.cluster.applied_id, "verb": "drain"}}
    smuggled.save(update_fields=["params"])
    smuggled = ChangeRequest.objects.get(pk=smuggled.pk)
    assert rules.action_of(smuggled) is None
    assert approvals.excuse(smuggled) == ""
    with pytest.raises(Refused):
        services.apply_change(user=running.bob, change=smuggled)


def test_an_author_who_lost_the_role_needs_approval(running: World) -> None:
    alone(running)
    change = waiting(acting.drain(user=running.bob, cluster=running.cluster, server="ftp1"))
    running.bob.memberships.update(role="viewer")
    assert approvals.excuse(ChangeRequest.objects.get(pk=change.pk)) == ""


def test_a_change_that_would_undo_another_one_is_not_applied(running: World) -> None:
    alone(running)
    first = waiting(acting.drain(user=running.bob, cluster=running.cluster, server="ftp1"))
    second = waiting(acting.weigh(user=running.carol, cluster=running.cluster, server="ftp2", weight=5))
    finished(services.apply_change(user=running.carol, change=second))
    first = ChangeRequest.objects.get(pk=first.pk)
    assert "Another revision was applied" in approvals.hindrance(first, running.alice)
    assert approvals.excuse(first) == ""
    with pytest.raises((Refused, StalePlan)):
        services.apply_change(user=running.bob, change=first)


def test_who_edited_what_was_never_applied_may_still_not_approve_it(running: World) -> None:
    """A newer revision is applied meanwhile: the draft's editors are not forgotten by that."""
    edit(running, running.carol, persistence_timeout=60)
    left = proposed(running, running.carol)
    services.reject(user=running.alice, change=left, reason="later")
    alone(running)
    done(running, acting.drain(user=running.bob, cluster=running.cluster, server="ftp1"))
    again = proposed(running, running.alice)
    assert "You edited this revision" in approvals.hindrance(again, running.carol)
    assert approvals.hindrance(again, running.bob) == ""


def test_the_same_click_twice_is_one_change(running: World) -> None:
    acting.drain(user=running.bob, cluster=running.cluster, server="ftp1")
    with pytest.raises(Refused, match="waiting already"):
        acting.drain(user=running.carol, cluster=running.cluster, server="ftp1")
    assert running.cluster.changes.count() == 2


def test_refusals_say_what_to_do(running: World) -> None:
    ask: dict[str, Any] = {"user": running.bob, "cluster": running.cluster}
    with pytest.raises(Invalid, match="no real server of"):
        acting.drain(**ask, server="ftp9")
    with pytest.raises(Refused, match="in rotation already"):
        acting.enable(**ask, server="ftp1")
    with pytest.raises(Refused, match="so already"):
        acting.weigh(**ask, server="ftp1", weight=1)
    with pytest.raises(Invalid):
        acting.weigh(**ask, server="ftp1", weight=70000)
    with pytest.raises(Invalid, match="IPv4"):
        acting.set_sorry(**ask, address="10.0.50.99; reboot")
    with pytest.raises(Refused):
        acting.drain(user=running.victor, cluster=running.cluster, server="ftp1")
    drained(running)
    with pytest.raises(Refused, match="quorum"):
        acting.drain(user=running.bob, cluster=running.cluster, server="ftp2")


def test_nothing_applied_nothing_to_drain(world: World) -> None:
    with pytest.raises(Refused, match="applied yet"):
        acting.drain(user=world.bob, cluster=world.cluster, server="ftp1")


def test_disabled_and_brought_back_with_the_weight_that_it_had(running: World) -> None:
    alone(running)
    done(running, acting.weigh(user=running.bob, cluster=running.cluster, server="ftp1", weight=7))
    done(running, acting.drain(user=running.bob, cluster=running.cluster, server="ftp1"))
    done(running, acting.disable(user=running.bob, cluster=running.cluster, server="ftp1"))
    assert Drain.objects.get().state == "ended"
    assert running.cluster.draft["real_servers"][0]["disabled"]
    assert page.standing(running.cluster).servers[0].state[1] == "out of rotation"
    done(running, acting.enable(user=running.bob, cluster=running.cluster, server="ftp1"))
    assert weights(running.cluster) == {"ftp1": 7, "ftp2": 1}
    assert in_step(running.cluster)


def test_undo_is_the_opposite(running: World) -> None:
    alone(running)
    change = done(running, acting.set_sorry(user=running.bob, cluster=running.cluster, address="10.0.50.99"))
    assert page.standing(running.cluster).sorry == "10.0.50.99"
    undo = done(running, acting.undo(user=running.bob, change=change))
    assert undo.title == "Turn the sorry server off"
    with pytest.raises(Refused, match="not in force any more"):
        acting.undo(user=running.bob, change=change)
    assert in_step(running.cluster)


def test_a_drain_counts_down_becomes_empty_and_ends(running: World) -> None:
    drain = drained(running)
    assert (drain.state, drain.weight, drain.started_by) == ("draining", 1, running.bob)
    assert page.told(drain).startswith("Nobody looked yet")
    drain = say(running, NOON, Left(2, 1, 3, 800, 300))
    assert page.told(drain) == "2 sessions, 1 transfer left"
    drain = say(running, NOON + timedelta(minutes=1), Left(1, 0, 3, 800, 240))
    assert (page.told(drain), drain.state) == ("1 session left", "draining")
    drain = say(running, NOON + timedelta(minutes=2), Left(clients=2, clients_for=180))
    assert (page.told(drain), drain.state) == ("0 sessions left", "empty")
    assert drain.until == NOON + timedelta(minutes=5)
    assert page.kept(drain).startswith("2 clients may come back")
    drain = say(running, NOON + timedelta(minutes=3), Left(1, 0, 2, 800, 300))
    assert (drain.state, drain.empty_at) == ("draining", None)
    say(running, NOON + timedelta(minutes=4), Left())
    done(running, acting.enable(user=running.bob, cluster=running.cluster, server="ftp1"))
    drain = Drain.objects.get()
    assert drain.state == "ended"
    moves = Transition.objects.filter(subject="drain", subject_id=drain.pk).values_list("new", flat=True)
    assert list(moves) == ["draining", "empty", "draining", "empty", "ended"]
    assert drains.claim(now=NOON + timedelta(hours=1)) == []


def test_routers_that_forget_clients_bring_none_back(running: World) -> None:
    drained(running)
    drain = say(running, NOON, Left(clients=2, clients_for=180), forgets=True)
    assert (drain.state, drain.clients_left, drain.until) == ("empty", 0, None)


def test_a_failed_look_calls_nothing_empty(running: World) -> None:
    drained(running)
    say(running, NOON, Left(1, 0, 0, 800, 0))
    (question,) = drains.claim(now=NOON + timedelta(minutes=1))
    drains.take(question=question, found="r1: it does not answer", at=NOON + timedelta(minutes=1))
    drain = Drain.objects.get()
    assert (drain.state, drain.sessions_left, drain.looked_at) == ("draining", 1, NOON)
    assert drain.problem == "r1: it does not answer"
    assert say(running, NOON + timedelta(minutes=2), Left(1, 0, 0, 800, 0)).problem == ""


def test_an_answer_to_an_older_question_is_dropped(running: World) -> None:
    drained(running)
    (old,) = drains.claim(now=NOON)
    say(running, NOON + timedelta(minutes=1), Left(1, 0, 0, 800, 0))
    drains.take(question=old, found=Table({"ftp1": Left()}, master=True, forgets=False), at=NOON)
    assert Drain.objects.get().state == "draining"


def test_an_unenrolled_router_is_a_problem_on_the_row(running: World) -> None:
    drained(running)
    running.r1.delete()
    assert drains.claim(now=NOON) == []
    assert "r1" in Drain.objects.get().problem


def test_looks_keep_their_interval(running: World) -> None:
    drained(running)
    assert len(drains.claim(now=NOON)) == 1
    assert drains.claim(now=NOON + timedelta(seconds=1)) == []
    assert len(drains.claim(now=NOON + timedelta(seconds=5))) == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_look_once(running: World, race: Race) -> None:
    drained(running)
    found = race(*[lambda: len(drains.claim(now=NOON))] * 4)
    assert sorted(found, key=str) == [0, 0, 0, 1]


def test_an_edit_of_the_draft_drains_as_well(running: World) -> None:
    """The row is about what the routers do, however it came there."""
    edit(running, running.carol, real_servers=[FTP1_DRAINED, FTP2])
    change = proposed(running, running.carol)
    services.approve(user=running.bob, change=change, plan_digest=change.plan_digest)
    finished(services.apply_change(user=running.carol, change=ChangeRequest.objects.get(pk=change.pk)))
    assert Drain.objects.get().server == "ftp1"


def test_saving_the_form_keeps_a_disabled_server_out(running: World) -> None:
    alone(running)
    done(running, acting.disable(user=running.bob, cluster=running.cluster, server="ftp1"))
    form = ClusterForm(None, team=running.team, cluster=running.cluster)
    sent = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    sent = {name: value for name, value in sent.items() if value is not None and value is not False}
    saved = ClusterForm(sent, team=running.team, cluster=running.cluster)
    assert saved.is_valid(), saved.errors
    servers = saved.values()["draft"]["real_servers"]
    assert [(s["name"], s["weight"], s.get("disabled", False)) for s in servers] == [
        ("ftp1", 0, True),
        ("ftp2", 1, False),
    ]
