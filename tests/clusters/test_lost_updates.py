"""Two people in one draft: whoever saves on an older version sees both, and nothing is removed unseen."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from lbftp.changes.errors import Conflict
from lbftp.changes.models import Transition
from lbftp.clusters import services
from lbftp.clusters.models import Cluster
from lbftp.clusters.values import values, version
from tests import worlds
from tests.conftest import Race
from tests.worlds import World, draft


def save(world: World, who: str, seen: dict[str, Any] | None, **changes: Any) -> Cluster:
    """`who` saves a form that was opened on `seen`, with other values for the draft or beside it."""
    cluster = Cluster.objects.get(pk=world.cluster.pk)
    beside: dict[str, Any] = {str(name): changes.pop(name) for name in ("comment", "guard_seconds") if name in changes}
    given: dict[str, Any] = {
        "name": "web",
        "comment": "The first one",
        "draft": draft(**changes),
        "probe_hosts": [world.client],
        "probe_account": world.account,
        "probe_path": "pub/probe.bin",
        **beside,
    }
    return services.save_draft(user=getattr(world, who), team=world.team, cluster=cluster, seen=seen, **given)


def opened(world: World) -> dict[str, Any]:
    return values(Cluster.objects.get(pk=world.cluster.pk))


@pytest.mark.parametrize(("first", "second"), [("alice", "bob"), ("bob", "alice")])
def test_the_later_of_two_saves_removes_nothing_unseen(world: World, first: str, second: str) -> None:
    seen = opened(world)
    save(world, first, seen, mark=22, comment="Films")

    with pytest.raises(Conflict) as caught:
        save(world, second, seen, scheduler="rr")

    conflict = caught.value
    assert conflict.others == ["comment", "mark"]
    assert {key: edit.who for key, edit in conflict.edits.items()} == {"comment": first, "mark": first}
    assert (conflict.stored["mark"], conflict.wanted["mark"], conflict.seen["mark"]) == (22, 21, 21)
    assert first in conflict.message
    assert (opened(world)["mark"], opened(world)["scheduler"]) == (22, "wlc")


def test_one_person_in_two_tabs_is_asked_as_well(world: World) -> None:
    seen = opened(world)
    save(world, "alice", seen, mark=22)
    with pytest.raises(Conflict):
        save(world, "alice", seen, mark=23)
    assert opened(world)["mark"] == 22


def test_who_saw_the_others_edit_decides(world: World) -> None:
    seen = opened(world)
    save(world, "alice", seen, mark=22)
    save(world, "bob", opened(world), mark=23)
    assert opened(world)["mark"] == 23


def test_the_same_edit_twice_is_no_conflict(world: World) -> None:
    seen = opened(world)
    save(world, "alice", seen, mark=22)
    save(world, "bob", seen, mark=22)


def test_settings_and_probes_count_like_the_draft(world: World) -> None:
    seen = opened(world)
    save(world, "alice", seen, guard_seconds=300)
    with pytest.raises(Conflict) as caught:
        save(world, "bob", seen, mark=22)
    assert caught.value.others == ["guard_seconds"]


def test_machines_are_compared_one_by_one(world: World) -> None:
    seen = opened(world)
    one, two = {"name": "ftp1", "weight": 1}, {"name": "ftp2", "weight": 1}
    save(world, "alice", seen, real_servers=[one, two, {"name": "ftp3", "weight": 1}])
    with pytest.raises(Conflict) as caught:
        save(world, "bob", seen, real_servers=[two])
    conflict = caught.value
    assert conflict.others == ["real_servers.ftp3"]
    assert (conflict.stored.get("real_servers.ftp1"), conflict.wanted.get("real_servers.ftp1")) != (None, None)


def test_editors_are_who_changed_the_draft(world: World) -> None:
    Cluster.objects.get(pk=world.cluster.pk).draft_editors.clear()
    seen = opened(world)
    save(world, "alice", seen, mark=22)
    with pytest.raises(Conflict):
        save(world, "bob", seen, scheduler="rr")
    assert set(world.cluster.draft_editors.all()) == {world.alice}
    save(world, "carol", opened(world), mark=22)
    assert set(world.cluster.draft_editors.all()) == {world.alice}
    save(world, "bob", opened(world), mark=22, scheduler="rr")
    assert set(world.cluster.draft_editors.all()) == {world.alice, world.bob}


def test_every_edit_is_a_row_with_both_values(world: World) -> None:
    save(world, "bob", opened(world), mark=22)
    row = Transition.objects.filter(subject="cluster", what="Draft edited").get()
    assert (row.actor, row.before["mark"], row.after["mark"]) == ("bob", 21, 22)
    assert set(row.after) == {"mark", "version"}
    save(world, "bob", opened(world), mark=22)
    assert Transition.objects.filter(subject="cluster", what="Draft edited").count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_at_the_same_instant_one_wins(race: Race, redis_socket: object) -> None:
    world = worlds.build()
    for turn in range(8):
        seen = opened(world)
        results = race(
            lambda seen=seen, turn=turn: save(world, "alice", seen, mark=100 + turn),
            lambda seen=seen, turn=turn: save(world, "bob", seen, mark=200 + turn),
        )
        assert sorted(type(one).__name__ for one in results) == ["Cluster", "Conflict"], results
        winner = next(one for one in results if isinstance(one, Cluster))
        assert opened(world)["mark"] == winner.draft["mark"]


@pytest.mark.django_db
def test_a_file_with_its_version_is_refused_once_somebody_edited(world: World) -> None:
    data = services.dump(Cluster.objects.get(pk=world.cluster.pk))
    assert data["version"] == version(values(world.cluster))
    save(world, "bob", opened(world), mark=22)
    with pytest.raises(Conflict) as caught:
        services.load(user=world.alice, team=world.team, data={**data, "comment": "Films"})
    assert caught.value.others == ["mark"]
    assert caught.value.edits["mark"].who == "bob"
    services.load(user=world.alice, team=world.team, data={**data, "comment": "Films"}, force=True)
    assert opened(world)["comment"] == "Films"
    again = services.dump(Cluster.objects.get(pk=world.cluster.pk))
    services.load(user=world.bob, team=world.team, data={**again, "mark": 23})
    assert opened(world)["mark"] == 23


def test_a_file_is_loaded_again_and_again_by_its_person(world: World) -> None:
    data = services.dump(Cluster.objects.get(pk=world.cluster.pk))
    for mark in (22, 23):
        services.load(user=world.bob, team=world.team, data={**data, "mark": mark})
    # bob's own edit by another way is none that the file knows of.
    save(world, "bob", opened(world), mark=23, scheduler="rr")
    with pytest.raises(Conflict) as caught:
        services.load(user=world.bob, team=world.team, data={**data, "mark": 24})
    assert caught.value.others == ["scheduler"]


def test_a_version_that_nobody_knows_of_stands_on_nothing(world: World) -> None:
    data = services.dump(Cluster.objects.get(pk=world.cluster.pk))
    for wrong in ("0" * 16, "", 7):
        with pytest.raises(Conflict):
            services.load(user=world.alice, team=world.team, data={**data, "version": wrong, "mark": 22})
    Cluster.objects.filter(pk=world.cluster.pk).update(comment="Written past every service")
    with pytest.raises(Conflict):
        services.load(user=world.alice, team=world.team, data={**data, "mark": 22})


@pytest.mark.django_db
def test_a_file_without_version_replaces_what_its_person_saved_last(world: World) -> None:
    data = services.dump(Cluster.objects.get(pk=world.cluster.pk))
    del data["version"]
    services.load(user=world.alice, team=world.team, data={**data, "mark": 22})
    services.load(user=world.alice, team=world.team, data={**data, "mark": 23})
    save(world, "bob", opened(world), mark=23, scheduler="rr")
    with pytest.raises(Conflict) as caught:
        services.load(user=world.alice, team=world.team, data={**data, "mark": 24})
    assert caught.value.others == ["scheduler"]
    services.load(user=world.alice, team=world.team, data={**data, "mark": 24, "scheduler": "rr"})
    # What alice's file held beside bob's edit counts as seen from now on.
    services.load(user=world.alice, team=world.team, data={**data, "mark": 24, "scheduler": "wlc"})
    assert opened(world)["scheduler"] == "wlc"


FIELDS = ("mark", "quorum", "expected_sessions", "persistence_timeout")
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["alice", "bob"]),
        st.sampled_from(["open", "save"]),
        st.dictionaries(st.sampled_from(FIELDS), st.integers(2, 4)),
    ),
    max_size=12,
)


class TestInterleavings(TestCase):
    """Whatever the order in which two people open and save: a value disappears only by one who saw it."""

    def setUp(self) -> None:
        self.world = worlds.build()

    @given(EDITS)
    def test_no_edit_is_lost_that_nobody_decided_against(self, edits: list[tuple[str, str, dict[str, int]]]) -> None:
        world = self.world
        seen = {who: opened(world) for who in ("alice", "bob")}

        for who, act, typed in edits:
            before = opened(world)
            if act == "open":
                seen[who] = before
                continue

            form = {field: typed.get(field, seen[who][field]) for field in FIELDS}
            try:
                save(world, who, seen[who], **form)
            except Conflict:
                assert opened(world) == before
            else:
                for field in FIELDS:
                    removed = before[field] != form[field]
                    assert not removed or before[field] == seen[who][field], (field, before[field], form[field])
                seen[who] = opened(world)
