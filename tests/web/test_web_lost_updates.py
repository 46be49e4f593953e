"""A form that was opened before somebody else saved comes back with both sides, and one click saves the decision."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from lbftp.clusters.models import Cluster
from lbftp.inventory.models import ProbeHost, RealServer
from tests.web.cluster_form import Sent, untouched
from tests.web.conftest import As
from tests.worlds import World, draft


class Tab:
    """One browser tab with the form of the world's cluster; what is typed in it is what it sends."""

    def __init__(self, browser: Client, world: World) -> None:
        self._browser, self._world = browser, world
        self.url = reverse("clusters:edit", args=[world.cluster.pk])
        self.sent: Sent = untouched(world, Cluster.objects.get(pk=world.cluster.pk))
        self.page = ""

    def save(self, **typed: Any) -> int:
        """Sends the form with `typed` in it; None takes a tick away. What comes back is what is sent next."""
        for name, value in typed.items():
            if value is None:
                self.sent.pop(name, None)
            else:
                self.sent[name] = value
        answer = self._browser.post(self.url, self.sent)
        self.page = answer.content.decode()
        if answer.status_code == 409:
            self.sent = shown(self.page)
        return answer.status_code

    @property
    def stored(self) -> dict[str, Any]:
        cluster = Cluster.objects.get(pk=self._world.cluster.pk)
        return {**cluster.draft, "comment": cluster.comment, "guard_seconds": cluster.guard_seconds}


def shown(page: str) -> Sent:
    """What a browser would send of the form as it stands in `page`, without touching anything."""
    form = page.partition('id="cluster-form"')[2].partition("</form>")[0]
    found: Sent = {}
    for tag in re.findall(r"<input[^>]*>", form):
        kind, name = _attribute(tag, "type"), _attribute(tag, "name")
        if not name or name == "csrfmiddlewaretoken" or (kind in ("checkbox", "radio") and " checked" not in tag):
            continue
        value = _attribute(tag, "value") or ("on" if kind == "checkbox" else "")
        found[name] = [*found.get(name, []), value] if kind == "checkbox" and name in _SEVERAL else value
    for name, inner in re.findall(r'<select name="([^"]+)".*?>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', inner)
        found[name] = chosen.group(1) if chosen else ""
    return found


_SEVERAL = ("probe_hosts", "scheduler_flags")


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf' {name}="([^"]*)"', tag)
    return found.group(1).replace("&quot;", '"').replace("&#x27;", "'").replace("&amp;", "&") if found else ""


@pytest.fixture
def tabs(world: World, browse: As) -> tuple[Tab, Tab]:
    """alice's and bob's, opened at the same time."""
    return Tab(browse(world.alice), world), Tab(browse(world.bob), world)


def point(page: str, key: str) -> str:
    """What the page asks about one value."""
    part = page.partition(f'name="choose-{key}"')[0].rpartition('<fieldset class="point">')[2]
    return part + page.partition(part)[2].partition("</fieldset>")[0] if f'name="choose-{key}"' in page else ""


def test_both_sides_and_what_it_was_are_shown(tabs: tuple[Tab, Tab]) -> None:
    alice, bob = tabs
    assert alice.save(mark="22", comment="Films") == 302
    assert bob.save(mark="23", scheduler="rr") == 409
    assert "alice saved web while you were editing" in bob.page
    mark = point(bob.page, "mark")
    assert re.search(r">23<.*>alice, .*>22<.*When you opened it: .*>21<", mark, re.DOTALL)
    assert re.search(r'value="mine" checked', mark)
    comment = point(bob.page, "comment")
    assert re.search(r"As it was.*>The first one<.*alice, .*>Films<", comment, re.DOTALL)
    assert re.search(r'value="theirs" checked', comment)
    assert "Only you changed 1 value" in bob.page
    assert "wlc: weighted least connections" in bob.page
    assert bob.stored["mark"] == 22


def test_one_click_saves_the_merge(tabs: tuple[Tab, Tab]) -> None:
    alice, bob = tabs
    alice.save(mark="22", comment="Films")
    bob.save(scheduler="rr")
    assert bob.sent["comment"] == "Films"
    assert bob.save() == 302
    assert (bob.stored["mark"], bob.stored["comment"], bob.stored["scheduler"]) == (22, "Films", "rr")


@pytest.mark.parametrize(
    ("choice", "mark", "comment"),
    [
        ({}, 23, "Films"),
        ({"choose-mark": "theirs"}, 22, "Films"),
        ({"choose-comment": "mine"}, 23, "The first one"),
        ({"resolve": "mine"}, 23, "The first one"),
        ({"resolve": "theirs"}, 22, "Films"),
        ({"mark": "24"}, 24, "Films"),
        ({"mark": "24", "choose-mark": "theirs"}, 24, "Films"),
        ({"mark": "22"}, 22, "Films"),
        ({"comment": "Books"}, 23, "Books"),
    ],
)
def test_each_way_of_choosing(tabs: tuple[Tab, Tab], choice: Sent, mark: int, comment: str) -> None:
    alice, bob = tabs
    alice.save(mark="22", comment="Films")
    assert bob.save(mark="23", scheduler="rr") == 409
    assert bob.save(**choice) == 302
    assert (bob.stored["mark"], bob.stored["comment"], bob.stored["scheduler"]) == (mark, comment, "rr")


def test_a_third_save_meanwhile_asks_again(tabs: tuple[Tab, Tab], world: World, browse: As) -> None:
    alice, bob = tabs
    alice.save(mark="22")
    assert bob.save(mark="23") == 409
    carol = Tab(browse(world.carol), world)
    assert carol.save(mark="25") == 302
    assert bob.save() == 409
    assert "carol saved web" in bob.page
    assert bob.save() == 302
    assert bob.stored["mark"] == 23


def test_lists_are_merged_by_name(world: World, browse: As) -> None:
    ftp3, ftp4 = (RealServer.objects.create(team=world.team, name=f"ftp{n}", address=f"10.0.50.1{n}") for n in (3, 4))
    branch = ProbeHost.objects.create(team=world.team, name="branch", address="127.0.0.1", credential=world.key)
    alice, bob = Tab(browse(world.alice), world), Tab(browse(world.bob), world)
    added = {f"server-{ftp3.pk}": "on", f"weight-{ftp3.pk}": "7", f"server-{world.ftp1.pk}": None}
    assert alice.save(**added, probe_hosts=[str(world.client.pk), str(branch.pk)]) == 302
    typed = {f"server-{ftp4.pk}": "on", f"weight-{ftp4.pk}": "9", f"weight-{world.ftp2.pk}": "2"}
    assert bob.save(**typed) == 409
    assert re.search("Real server ftp3.*not in the cluster.*weight 7", bob.page, re.DOTALL)
    assert re.search("Real server ftp1.*weight 1.*not in the cluster", bob.page, re.DOTALL)
    assert re.search("Probe hosts.*>client<.*>branch, client<", bob.page, re.DOTALL)
    assert bob.save() == 302
    weights = {one["name"]: one["weight"] for one in bob.stored["real_servers"]}
    assert weights == {"ftp2": 2, "ftp3": 7, "ftp4": 9}
    assert set(Cluster.objects.get(pk=world.cluster.pk).probe_hosts.all()) == {world.client, branch}


def test_a_server_that_one_changed_and_the_other_removed_is_asked_about(tabs: tuple[Tab, Tab], world: World) -> None:
    alice, bob = tabs
    alice.save(**{f"server-{world.ftp1.pk}": None})
    assert bob.save(**{f"weight-{world.ftp1.pk}": "5"}) == 409
    assert "You both changed 1 value" in bob.page
    assert bob.save(**{f"choose-real_servers.{world.ftp1.name}": "theirs"}) == 302
    assert [one["name"] for one in bob.stored["real_servers"]] == ["ftp2"]


def test_a_form_from_before_the_upgrade_shows_every_difference(tabs: tuple[Tab, Tab]) -> None:
    _, bob = tabs
    bob.sent.pop("seen")
    assert bob.save(mark="23") == 409
    assert "not known" in bob.page
    assert bob.save() == 302
    assert bob.stored["mark"] == 23


def test_what_was_read_of_another_cluster_does_not_count(world: World, browse: As) -> None:
    other = Cluster.objects.create(team=world.team, name="other", draft=draft(mark=44))
    bob = Tab(browse(world.bob), world)
    assert bob.save(mark="23", seen=untouched(world, other)["seen"]) == 409
    assert bob.save(mark="23", seen="made up") == 409
    assert bob.stored["mark"] == 21


def test_a_wrong_value_beside_a_choice_loses_neither(tabs: tuple[Tab, Tab]) -> None:
    alice, bob = tabs
    alice.save(mark="22", comment="Films")
    bob.save(mark="23", scheduler="rr")
    assert bob.save(vip="192.0.2.999", **{"choose-mark": "theirs"}) == 422
    bob.sent = shown(bob.page)
    assert bob.save(vip="192.0.2.100") == 302
    assert (bob.stored["mark"], bob.stored["comment"], bob.stored["scheduler"]) == (22, "Films", "rr")


def test_whoever_types_is_warned(tabs: tuple[Tab, Tab], world: World, browse: As) -> None:
    alice, bob = tabs
    sent = {**bob.sent, "cluster": str(world.cluster.pk)}
    check = reverse("clusters:check")
    assert "while you were editing" not in browse(world.bob).post(check, sent).content.decode()
    alice.save(mark="22")
    text = browse(world.bob).post(check, sent).content.decode()
    assert re.search("alice saved this draft while you were editing.*Firewall mark", text, re.DOTALL)


def test_editors_are_those_whose_values_stand(tabs: tuple[Tab, Tab], world: World) -> None:
    world.cluster.draft_editors.clear()
    alice, bob = tabs
    alice.save(mark="22")
    bob.save(mark="23")
    assert bob.save(resolve="theirs") == 302
    assert set(world.cluster.draft_editors.all()) == {world.alice}
    bob.sent = untouched(world, Cluster.objects.get(pk=world.cluster.pk))
    assert bob.save(scheduler="rr") == 302
    assert set(world.cluster.draft_editors.all()) == {world.alice, world.bob}


def test_the_form_costs_no_more_queries(world: World, browse: As) -> None:
    browser = browse(world.bob)
    url = reverse("clusters:edit", args=[world.cluster.pk])
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(url).status_code == 200
    of_form = [one["sql"] for one in captured if re.search('FROM "(clusters|inventory|changes)_', one["sql"])]
    assert len(of_form) == 9, of_form
    assert not [sql for sql in of_form if "changes_transition" in sql]
