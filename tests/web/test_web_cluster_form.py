from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import reverse

from lbftp.clusters.drafts import MACHINES, PATHS, draft_defaults, flat, nested
from lbftp.clusters.models import Cluster
from lbftp.clusters.sections import BESIDE, SECTIONS
from lbftp.inventory.models import ProbeHost
from tests.web.cluster_form import typed, untouched
from tests.web.conftest import As
from tests.worlds import World, applied, draft, draft6, edit

FULL: dict[str, Any] = {
    "mode": "advertise", "tls": True, "control_ports": [21, 2121], "implicit_ports": [990], "active": "snat",
    "scheduler": "mh", "scheduler_flags": ["mh-fallback"], "persistence_granularity": 24,
    "persistence_granularity6": 64, "quorum": 2, "inhibit_on_failure": True, "expected_sessions": 500,
    "sorry_server": {"address": "10.0.50.99", "address6": "fd00:50::99"}, "check": {"kind": "ftp", "delay_loop": 7},
    "vrrp": {"vrid": 33, "internal_vrid": 34, "advert_int": 2, "preempt": False, "unicast": True,
             "track_interfaces": True, "sync_connections": True},
    "real_servers": [{"name": "ftp1", "weight": 2, "upper_threshold": 100, "lower_threshold": 80}],
}  # fmt: skip


def test_the_form_begins_with_the_guides_values(world: World, browse: As) -> None:
    world.cluster.delete()
    page = browse(world.bob).get(reverse("clusters:new")).content.decode()
    for name, value in (("mark", 21), ("passive_low", 10000), ("passive_high", 20000), ("persistence_timeout", 360)):
        assert re.search(rf'name="{name}" value="{value}"', page), name
    assert '<option value="wlc" selected>' in page
    assert re.search(r'name="mode" value="helper"[^>]*checked', page)
    assert re.search(r'name="control_ports" value="21"', page)
    # The only two routers and all servers are the obvious choice.
    assert re.search(rf'name="router-{world.r1.pk}"[^>]*checked', page)
    assert re.search(rf'name="server-{world.ftp2.pk}"[^>]*checked', page)


def test_a_further_cluster_begins_with_numbers_of_its_own(world: World, browse: As) -> None:
    Cluster.objects.create(team=world.team, name="other", draft=draft(mark=22, vrrp={"vrid": 23}))
    Cluster.objects.create(team=world.other_team, name="theirs", draft=draft(mark=23))
    sent = untouched(world)
    assert (sent["mark"], sent["vrid"], sent["internal_vrid"]) == ("23", "22", "22")
    own = untouched(world, world.cluster)
    assert (own["mark"], own["vrid"], own["internal_vrid"]) == ("21", "21", "21")


def test_a_cluster_is_defined(world: World, browse: As) -> None:
    page = browse(world.bob).post(reverse("clusters:new"), typed(world))
    cluster = Cluster.objects.get(name="media")
    assert page["Location"] == reverse("clusters:cluster", args=[cluster.pk])
    vrrp, servers = {"vrid": 31, "internal_vrid": 32}, [{"name": "ftp1", "weight": 3}]
    wanted = draft(vip="192.0.2.110", floating="10.0.50.5", mark=31, vrrp=vrrp, real_servers=servers)
    assert cluster.draft == wanted
    assert (list(cluster.probe_hosts.all()), cluster.probe_account) == ([world.client], world.account)
    assert list(cluster.draft_editors.all()) == [world.bob]


def test_probes_are_chosen_and_shown(world: World, browse: As) -> None:
    other = ProbeHost.objects.create(team=world.team, name="branch", address="127.0.0.1", credential=world.key)
    hosts = [str(other.pk), str(world.client.pk)]
    sent = typed(world, probe_hosts=hosts, probe_worker="on", probe_upload_folder="incoming")
    page = browse(world.bob).post(reverse("clusters:new"), sent)
    cluster = Cluster.objects.get(name="media")
    shown = browse(world.bob).get(page["Location"]).content.decode()
    assert "branch, client, the worker as ftp" in shown
    assert 'uploads into <span class="mono">incoming</span>' in shown
    form = browse(world.bob).get(reverse("clusters:edit", args=[cluster.pk])).content.decode()
    assert len(re.findall(r'name="probe_hosts"[^>]*checked', form)) == 2
    wrong = {**sent, "probe_upload_folder": "../etc", "name": "other"}
    refused = browse(world.bob).post(reverse("clusters:new"), wrong)
    assert 'id="id_probe_upload_folder_error"' in refused.content.decode()
    stranger = ProbeHost.objects.create(team=world.other_team, name="theirs", address="127.0.0.1", credential=world.key)
    theirs = browse(world.bob).post(
        reverse("clusters:new"), {**sent, "name": "other", "probe_hosts": [str(stranger.pk)]}
    )
    assert theirs.status_code == 422
    assert not Cluster.objects.filter(name="other").exists()


def test_nothing_typed_is_lost_when_it_is_refused(world: World, browse: As) -> None:
    wrong = typed(world, vip="192.0.2.999", mark="many", comment='A "quoted" <b>comment</b>; $(reboot)')
    page = browse(world.bob).post(reverse("clusters:new"), wrong)
    text = page.content.decode()
    assert page.status_code == 422
    assert 'value="192.0.2.999"' in text
    assert 'value="many"' in text
    assert "A &quot;quoted&quot; &lt;b&gt;comment&lt;/b&gt;; $(reboot)" in text
    assert "<b>comment</b>" not in text
    assert f'name="weight-{world.ftp1.pk}" value="3"' in text
    assert not re.search(rf'name="server-{world.ftp2.pk}"[^>]*checked', text)
    assert 'id="id_mark_error"' in text
    fewer = browse(world.bob).post(reverse("clusters:new"), typed(world, vip="192.0.2.999"))
    assert 'id="id_vip_error"' in fewer.content.decode()
    assert not Cluster.objects.filter(name="media").exists()


def test_a_comment_that_could_end_up_as_configuration_is_refused(world: World, browse: As) -> None:
    for evil in ("two\nlines", 'a "quote"', "a } brace", "semi; colon", "$(reboot)"):
        page = browse(world.bob).post(reverse("clusters:new"), typed(world, comment=evil))
        assert page.status_code == 422, evil
        assert b'id="id_comment_error"' in page.content, evil


def test_a_taken_router_needs_its_priority(world: World, browse: As) -> None:
    page = browse(world.bob).post(reverse("clusters:new"), typed(world, **{f"priority-{world.r1.pk}": ""}))
    assert page.status_code == 422
    assert b"Give r1 a priority." in page.content


def _lint(world: World, browse: As, **changes: Any) -> str:
    return browse(world.bob).post(reverse("clusters:check"), typed(world, **changes)).content.decode()


def _place(text: str, name: str) -> str:
    """What the answer puts under the field `name`."""
    return text.partition(f'id="problems-{name}"')[2].partition('id="problems-')[0]


def test_lint_speaks_beside_the_field_while_somebody_types(world: World, browse: As) -> None:
    fine = _lint(world, browse)
    assert "FTP043" not in fine
    outside = _lint(world, browse, floating="10.0.99.1")
    assert "FTP011" in _place(outside, "floating")
    assert "use it as their default route" in _place(outside, "floating")
    reversed_ = _lint(world, browse, passive_low="20000", passive_high="10000")
    assert "reversed" in _place(reversed_, "passive_high")
    unfinished = _lint(world, browse, mark="2x")
    assert "2x" in _place(unfinished, "mark")
    alone = _lint(world, browse, **{f"router-{world.r2.pk}": ""})
    assert "FTP001" in _place(alone, "routers")


def test_lint_saves_nothing_and_does_not_compare_a_cluster_with_itself(world: World, browse: As) -> None:
    applied(world)
    same = {"name": "web", "vip": "192.0.2.100", "floating": "10.0.50.1", "mark": "21", "vrid": "21"}
    same["internal_vrid"] = "21"
    assert "already belongs" in _lint(world, browse, **{**same, "name": "other"})
    own = browse(world.bob).post(reverse("clusters:check"), typed(world, **same, cluster=str(world.cluster.pk)))
    assert b"already" not in own.content
    assert Cluster.objects.count() == 1


def test_lint_of_another_teams_cluster_is_not_there(world: World, browse: As) -> None:
    answer = browse(world.mallory).post(reverse("clusters:check"), {"cluster": str(world.cluster.pk)})
    assert answer.status_code == 404


def test_editing_shows_the_draft_and_keeps_the_name_of_what_was_proposed(world: World, browse: As) -> None:
    applied(world)
    url = reverse("clusters:edit", args=[world.cluster.pk])
    assert 'value="192.0.2.100"' in browse(world.bob).get(url).content.decode()
    page = browse(world.bob).post(url, typed(world, name="renamed"))
    assert (page.status_code, b'id="id_name_error"' in page.content) == (422, True)


def test_every_value_of_the_model_can_be_set(world: World, browse: As) -> None:
    """Without a script as well: everything is in the page, folded or hidden by style alone."""
    page = browse(world.bob).get(reverse("clusters:new")).content.decode()
    for name in PATHS:
        assert f'name="{name}"' in page, name
        assert re.search(rf'id="problems-{name}"', page), f"{name} has no place for its problems"
    values = {name: value for name, value in draft_defaults().items() if name not in MACHINES}
    assert nested(flat(draft_defaults())) == values
    folded = [name for section in SECTIONS for name in section.fields]
    assert len(folded) == len(set(folded))
    assert set(folded) <= set(PATHS) | set(BESIDE)
    # An open section or an unfolded one would be in the way of the guide's simple case.
    assert not re.search(r"<details[^>]* open", page)


def test_what_is_saved_untouched_stays_as_it_was(world: World, browse: As) -> None:
    edit(world, world.alice, **draft6(**FULL))
    before = Cluster.objects.get(pk=world.cluster.pk)
    url = reverse("clusters:edit", args=[before.pk])
    sent = untouched(world, before)
    assert browse(world.carol).post(url, sent).status_code == 302
    after = Cluster.objects.get(pk=before.pk)
    assert after.draft == before.draft
    assert world.carol not in after.draft_editors.all()


def test_everything_typed_is_in_the_draft(world: World, browse: As) -> None:
    sent = typed(
        world, vip6="2001:db8::110", mode="advertise", tls="on", control_ports=" 2121,21 ", implicit_ports="990",
        scheduler="sh", scheduler_flags=["sh-port"], sorry_server6="fd00:50::99", check="ftp", advert_int="3",
        sync_connections="on", **{f"upper_threshold-{world.ftp1.pk}": "50", f"lower_threshold-{world.ftp1.pk}": ""},
    )  # fmt: skip
    sent.pop("preempt")
    assert browse(world.bob).post(reverse("clusters:new"), sent).status_code == 302
    found = Cluster.objects.get(name="media").draft
    assert (found["vip6"], found["mode"], found["tls"]) == ("2001:db8::110", "advertise", True)
    assert (found["control_ports"], found["implicit_ports"]) == ([2121, 21], [990])
    assert (found["scheduler"], found["scheduler_flags"]) == ("sh", ["sh-port"])
    assert found["sorry_server"] == {"address": "", "address6": "fd00:50::99"}
    assert (found["check"]["kind"], found["vrrp"]["advert_int"], found["vrrp"]["preempt"]) == ("ftp", 3, False)
    assert found["real_servers"] == [
        {"name": "ftp1", "weight": 3, "upper_threshold": 50, "lower_threshold": 0, "disabled": False}
    ]


@pytest.mark.parametrize(
    ("changes", "place", "words"),
    [
        ({"control_ports": "21, ftp"}, "control_ports", "&#x27;ftp&#x27; is not a whole number"),
        ({"control_ports": "21,21"}, "control_ports", "there twice"),
        ({"vip6": "192.0.2.1"}, "vip6", "not an IPv6 address"),
        ({"sorry_server": "ftp"}, "sorry_server", "not an IPv4 address"),
        ({"scheduler": "rr", "scheduler_flags": ["sh-port"]}, "scheduler_flags", "no option of rr"),
        ({"persistence_granularity": "99"}, "persistence_granularity", "1 to 32"),
        ({"advert_int": "0"}, "advert_int", "1 to 255"),
        ({"tls": "on"}, "tls", "FTP"),
        ({"mode": "helper", "forwarding": "DR"}, "mode", "FTP"),
    ],
)
def test_a_value_that_cannot_be_right_is_refused_at_its_field(
    world: World, browse: As, changes: dict[str, Any], place: str, words: str
) -> None:
    assert words in _place(_lint(world, browse, **changes), place)


def test_a_refused_value_opens_its_section(world: World, browse: As) -> None:
    page = browse(world.bob).post(reverse("clusters:new"), typed(world, quorum="-1", advert_int="0"))
    text = page.content.decode()
    assert page.status_code == 422
    assert re.search(r'id="fold-balancing" open', text)
    assert not re.search(r'id="fold-checks" open', text)
    limit = typed(world, **{f"lower_threshold-{world.ftp1.pk}": "5"})
    refused = browse(world.bob).post(reverse("clusters:new"), limit)
    assert (refused.status_code, b"above the upper one" in refused.content) == (422, True)


def test_groups_to_share_are_those_of_the_teams_other_clusters(world: World, browse: As) -> None:
    Cluster.objects.create(team=world.other_team, name="theirs", draft=draft())
    Cluster.objects.create(team=world.team, name="late", draft=draft(vrrp={"group": "pair-a"}))
    page = browse(world.bob).get(reverse("clusters:new")).content.decode()
    assert '<option value="web">with web on r1, r2</option>' in page
    assert '<option value="pair-a">' in page
    assert "theirs" not in page
    own = browse(world.bob).get(reverse("clusters:edit", args=[world.cluster.pk])).content.decode()
    assert '<option value="web">' not in own
    strange = browse(world.bob).post(reverse("clusters:new"), typed(world, group="theirs"))
    assert (strange.status_code, b'id="id_group_error"' in strange.content) == (422, True)
    browse(world.bob).post(reverse("clusters:new"), typed(world, group="web", floating="10.0.50.1", internal_vrid="21"))
    assert Cluster.objects.get(name="media").draft["vrrp"]["group"] == "web"


def test_the_guards_time_is_set_in_a_fold_of_its_own(world: World, browse: As) -> None:
    sent = {**untouched(world, world.cluster), "guard_seconds": "29"}
    url = reverse("clusters:edit", args=[world.cluster.pk])
    refused = browse(world.bob).post(url, sent)
    assert refused.status_code == 422
    assert re.search(r'<details[^>]*id="fold-safe" open', refused.content.decode())
    assert browse(world.bob).post(url, {**sent, "guard_seconds": "90"}).status_code == 302
    world.cluster.refresh_from_db()
    assert world.cluster.guard_seconds == 90
    page = browse(world.victor).get(reverse("clusters:cluster", args=[world.cluster.pk])).content.decode()
    assert "routers put themselves back after 90 s without confirmation" in page
    text = browse(world.bob).post(reverse("clusters:check"), {**sent, "guard_seconds": "45"}).content.decode()
    assert "after 45 s" in _summary(text, "safe")
    browse(world.bob).post(url, {**sent, "guard_seconds": "90", "confirm_by_hand": "on"})
    world.cluster.refresh_from_db()
    assert world.cluster.confirm_by_hand
    page = browse(world.victor).get(reverse("clusters:cluster", args=[world.cluster.pk])).content.decode()
    assert "a person confirms; routers put themselves back after 90 s" in page


def _summary(text: str, key: str) -> str:
    return text.partition(f'id="sum-{key}"')[2].partition("</span>\n")[0]


def test_folded_sections_say_what_is_set_while_somebody_types(world: World, browse: As) -> None:
    guide = _lint(world, browse)
    assert "wlc, 360 s persistence" in _summary(guide, "balancing")
    for section in SECTIONS:
        assert "not the guide" not in _summary(guide, section.key), section.key
    text = _lint(
        world, browse, scheduler="mh", scheduler_flags=["mh-port"], quorum="x", unicast="on", vip6="2001:db8::110",
        **{f"upper_threshold-{world.ftp1.pk}": "50"},
    )  # fmt: skip
    assert "mh mh-port, 360 s persistence, quorum x" in _summary(text, "balancing")
    assert "unicast" in _summary(text, "vrrp")
    assert "VIP 2001:db8::110" in _summary(text, "ipv6")
    assert "for ftp1" in _summary(text, "limits")
    for key in ("balancing", "vrrp", "ipv6"):
        assert "not the guide" in _summary(text, key), key


def test_the_preview_shows_what_every_machine_would_hold(world: World, browse: As) -> None:
    text = _lint(world, browse)
    for name in ("r1", "r2", "ftp-servers"):
        assert f'id="machine-{name}"' in text
    for word in ("virtual_server fwmark 31", "/etc/keepalived/lbftp.d/media.conf", "--dport 10000:20000"):
        assert word in text, word
    assert "/etc/vsftpd.conf" in text
    assert "nothing is applied yet" in text


def test_the_preview_compares_with_what_is_applied(world: World, browse: As) -> None:
    applied(world)
    sent = untouched(world, world.cluster) | {"cluster": str(world.cluster.pk)}
    same = browse(world.bob).post(reverse("clusters:check"), sent).content.decode()
    assert "against revision 1, which is applied" in same
    assert '<tr class="add">' not in same
    text = browse(world.bob).post(reverse("clusters:check"), {**sent, "mark": "22"}).content.decode()
    machine = text.partition('id="machine-r1"')[2].partition('id="machine-r2"')[0]
    assert re.search(r'<tr class="del">.*fwmark 2<mark>1</mark>', machine)
    assert re.search(r'<tr class="add">.*fwmark 2<mark>2</mark>', machine)
    servers = text.partition('id="machine-ftp-servers"')[2]
    assert '<tr class="add">' not in servers


def test_with_errors_the_preview_stays_as_it_was(world: World, browse: As) -> None:
    text = _lint(world, browse, vip="192.0.2")
    assert 'id="preview"' not in text
    assert "as of before the errors" in text
