from __future__ import annotations

from typing import Any

import pytest
import yaml

from lbftp.changes.errors import Invalid, Refused
from lbftp.clusters import services
from lbftp.clusters.models import Cluster
from lbftp.inventory.models import Credential
from tests.worlds import World, applied, draft, edit

pytestmark = pytest.mark.django_db
HOSTILE = ["a\nb", 'a"b', "a{b", "a}b", "a;b", "$(reboot)", "a`b`", "a\\b", "a'b", "a\x00b", "a\u2028b"]


def save(world: World, **changes: Any) -> Cluster:
    values: dict[str, Any] = {
        "user": world.alice, "team": world.team, "cluster": world.cluster, "name": "web", "comment": "",
        "draft": draft(), "probe_account": None, "probe_path": "",
    }  # fmt: skip
    return services.save_draft(**{**values, **changes})


def field_of(world: World, **changes: Any) -> str:
    with pytest.raises(Invalid) as caught:
        save(world, **changes)
    return str(caught.value.problems[0]["field"])


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_refused_in_every_field(world: World, text: str) -> None:
    assert field_of(world, name=text) == "name"
    assert field_of(world, comment=text) == "comment"
    assert field_of(world, probe_path=text) == "probe_path"
    assert field_of(world, probe_upload_folder=text) == "probe_upload_folder"
    assert field_of(world, draft=draft(vip=text)) == "vip"
    assert field_of(world, draft=draft(floating=text)) == "floating"
    assert field_of(world, draft=draft(internal_network=text)) == "internal_network"
    assert field_of(world, draft=draft(scheduler=text)) == "scheduler"
    assert field_of(world, draft=draft(mark=text)) == "mark"
    assert field_of(world, draft=draft(routers=[{"name": text, "priority": 1}])) == "routers"
    assert field_of(world, draft=draft(real_servers=[{"name": text, "weight": 1}])) == "real_servers"
    assert field_of(world, draft=draft(**{text: 1})) == text


def test_an_incomplete_draft_can_be_saved(world: World) -> None:
    cluster = save(world, draft=draft(vip="", routers=[], real_servers=[], mark=None))
    assert cluster.draft["routers"] == []


def test_comments_in_any_language(world: World) -> None:
    assert save(world, comment="Für Größen bis 10 GB (Büro & Lager): bitte fragen!").comment.startswith("Für")


@pytest.mark.parametrize("who", ["victor", "mallory", "root"])
def test_who_may_not_edit(world: World, who: str) -> None:
    with pytest.raises(Refused):
        save(world, user=getattr(world, who))


def test_whoever_changes_the_spec_is_an_editor(world: World) -> None:
    assert set(world.cluster.draft_editors.all()) == {world.alice}
    edit(world, world.bob, mark=22)
    edit(world, world.carol, mark=22)
    assert set(world.cluster.draft_editors.all()) == {world.alice, world.bob}
    save(world, user=world.carol, comment="only words", draft=draft(mark=22))
    assert set(world.cluster.draft_editors.all()) == {world.alice, world.bob}


def test_a_name_is_there_once(world: World) -> None:
    assert field_of(world, cluster=None) == "name"


def test_once_proposed_a_cluster_keeps_its_name(world: World) -> None:
    assert save(world, name="web2").name == "web2"
    save(world, name="web")
    applied(world)
    assert field_of(world, name="web2") == "name"


def test_probe_things_belong_to_the_team(world: World) -> None:
    foreign = Credential.objects.create(team=world.other_team, name="f", username="u", kind="password", secret="s")
    with pytest.raises(Refused):
        save(world, probe_account=foreign)
    assert field_of(world, probe_account=world.key) == "probe_account"


def test_dump_and_load_are_the_same_cluster(world: World) -> None:
    data = yaml.safe_load(yaml.safe_dump(services.dump(world.cluster)))
    before = Cluster.objects.get(pk=world.cluster.pk)
    after = services.load(user=world.bob, team=world.team, data=data)
    assert (after.pk, after.draft, after.comment) == (before.pk, before.draft, before.comment)
    assert (after.probe_account, after.probe_path) == (before.probe_account, before.probe_path)
    assert [host.name for host in after.probe_hosts.all()] == ["client"]
    assert world.bob not in after.draft_editors.all()


def test_how_long_the_guards_wait_is_no_edit_of_the_spec(world: World) -> None:
    assert services.dump(world.cluster)["guard_seconds"] == 120
    data = {**services.dump(world.cluster), "guard_seconds": 300, "confirm_by_hand": True}
    after = services.load(user=world.bob, team=world.team, data=data)
    assert (after.guard_seconds, services.dump(after)["guard_seconds"]) == (300, 300)
    assert (after.confirm_by_hand, services.dump(after)["confirm_by_hand"]) == (True, True)
    assert world.bob not in after.draft_editors.all()
    del data["guard_seconds"]
    assert services.load(user=world.bob, team=world.team, data=data).guard_seconds == 120


def test_load_creates_with_the_guides_values(world: World) -> None:
    cluster = services.load(user=world.bob, team=world.team, data={"name": "new", "vip": "192.0.2.101"})
    assert (cluster.draft["mark"], cluster.draft["vip"]) == (21, "192.0.2.101")
    assert set(cluster.draft_editors.all()) == {world.bob}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (["web"], "cluster"),
        ({"name": "web", "vips": 1}, "vips"),
        ({"name": "web", "probe": "client"}, "probe"),
        ({"name": "web", "probe": {"host": "nowhere"}}, "probe.hosts"),
        ({"name": "web", "probe": {"hosts": ["client", "nowhere"]}}, "probe.hosts"),
        ({"name": "web", "probe": {"hosts": "client"}}, "probe.hosts"),
        ({"name": "web", "probe": {"worker": "maybe"}}, "probe.worker"),
        ({"name": "web", "probe": {"upload_folder": "../etc"}}, "probe_upload_folder"),
        ({"name": "web", "probe": {"account": "nobody"}}, "probe.account"),
        ({"vip": "192.0.2.100"}, "name"),
        ({"name": True}, "name"),
        ({"name": "web", "guard_seconds": 29}, "guard_seconds"),
        ({"name": "web", "guard_seconds": 3601}, "guard_seconds"),
        ({"name": "web", "guard_seconds": True}, "guard_seconds"),
        ({"name": "web", "guard_seconds": "120"}, "guard_seconds"),
        ({"name": "web", "confirm_by_hand": "yes"}, "confirm_by_hand"),
    ],
)
def test_load_names_the_field(world: World, data: Any, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        services.load(user=world.bob, team=world.team, data=data)
    assert caught.value.problems[0]["field"] == field
    assert caught.value.problems[0]["reason"]


def test_only_administrators_set_the_number_of_approvals(world: World) -> None:
    with pytest.raises(Refused):
        services.set_approvals_required(user=world.bob, cluster=world.cluster, number=2)
    with pytest.raises(Invalid):
        services.set_approvals_required(user=world.alice, cluster=world.cluster, number=0)
