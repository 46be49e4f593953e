from __future__ import annotations

import re
from typing import Any

from django.urls import reverse

from lbftp.clusters import topology
from lbftp.clusters.models import Cluster
from tests.web.conftest import As
from tests.worlds import World, applied, draft, edit


def typed(world: World, **changes: str) -> dict[str, str]:
    """What a browser sends for the world's cluster."""
    return {
        "name": "media",
        "comment": "Films",
        "vip": "192.0.2.110",
        "floating": "10.0.50.5",
        "internal_network": "10.0.50.0/24",
        "mark": "31",
        "control_port": "21",
        "passive_low": "10000",
        "passive_high": "20000",
        "scheduler": "wlc",
        "persistence_timeout": "360",
        "vrid": "31",
        "advert_int": "1",
        "delay_loop": "10",
        "connect_timeout": "3",
        "retry": "2",
        f"router-{world.r1.pk}": "on",
        f"priority-{world.r1.pk}": "100",
        f"router-{world.r2.pk}": "on",
        f"priority-{world.r2.pk}": "50",
        f"server-{world.ftp1.pk}": "on",
        f"weight-{world.ftp1.pk}": "3",
        f"weight-{world.ftp2.pk}": "1",
        "probe_host": str(world.client.pk),
        "probe_account": str(world.account.pk),
        "probe_path": "pub/probe.bin",
        **changes,
    }


def test_the_form_begins_with_the_guides_values(world: World, browse: As) -> None:
    page = browse(world.bob).get(reverse("clusters:new")).content.decode()
    for name, value in (("mark", 21), ("passive_low", 10000), ("passive_high", 20000), ("persistence_timeout", 360)):
        assert re.search(rf'name="{name}" value="{value}"', page), name
    assert '<option value="wlc" selected>' in page
    # The only two routers and all servers are the obvious choice.
    assert re.search(rf'name="router-{world.r1.pk}"[^>]*checked', page)
    assert re.search(rf'name="server-{world.ftp2.pk}"[^>]*checked', page)


def test_a_cluster_is_defined(world: World, browse: As) -> None:
    page = browse(world.bob).post(reverse("clusters:new"), typed(world))
    cluster = Cluster.objects.get(name="media")
    assert page["Location"] == reverse("clusters:cluster", args=[cluster.pk])
    wanted = draft(vip="192.0.2.110", floating="10.0.50.5", mark=31, vrid=31)
    wanted["real_servers"] = [{"name": "ftp1", "weight": 3}]
    assert cluster.draft == wanted
    assert (cluster.probe_host, cluster.probe_account) == (world.client, world.account)
    assert list(cluster.draft_editors.all()) == [world.bob]


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


def _lint(world: World, browse: As, **changes: str) -> str:
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


def test_the_overview_tells_when_the_draft_differs(world: World, browse: As) -> None:
    url = reverse("clusters:cluster", args=[world.cluster.pk])
    assert b"Nothing of this is on the routers yet" in browse(world.bob).get(url).content
    applied(world)
    assert b"differs from what is applied" not in browse(world.bob).get(url).content
    edit(world, world.bob, mark=77)
    assert b"The draft differs from what is applied" in browse(world.bob).get(url).content


def test_the_overview_tells_what_has_to_be_on_the_ftp_servers(world: World, browse: As) -> None:
    url = reverse("clusters:cluster", args=[world.cluster.pk])
    text = browse(world.victor).get(url).content.decode()
    assert "On the FTP servers" in text
    assert "for the draft" in text
    for line in ("pasv_max_port=20000", "PassivePorts 10000 20000", "PassivePortRange 10000 20000", "RootRevoke off"):
        assert line in text
    for path in ("/etc/vsftpd.conf", "/etc/vsftpd/vsftpd.conf", "/etc/pure-ftpd/conf/PassivePortRange"):
        assert path in text
    assert "ip route replace default via 10.0.50.1" in text
    assert text.count('data-copy="') == 5


def test_the_ftp_servers_lines_are_those_of_what_is_applied(world: World, browse: As) -> None:
    applied(world)
    edit(world, world.bob, passive={"low": 30000, "high": 30999})
    text = browse(world.bob).get(reverse("clusters:cluster", args=[world.cluster.pk])).content.decode()
    assert "for what is applied" in text
    assert "pasv_min_port=10000" in text
    assert "pasv_min_port=30000" not in text


def test_an_unfinished_draft_says_nothing_about_ftp_servers(world: World, browse: As) -> None:
    edit(world, world.bob, vip="")
    page = browse(world.bob).get(reverse("clusters:cluster", args=[world.cluster.pk]))
    assert page.status_code == 200
    assert b"On the FTP servers" not in page.content


def test_a_revision_shows_what_it_changed(world: World, browse: As) -> None:
    applied(world)
    edit(world, world.bob, persistence_timeout=900)
    browse(world.bob).post(reverse("changes:propose", args=[world.cluster.pk]), {"title": "Longer"})
    page = browse(world.victor).get(reverse("clusters:revision", args=[world.cluster.pk, 2])).content.decode()
    assert "What changed since revision 1" in page
    assert re.search(r"persistence_timeout: <mark>\d+</mark>", page)


def _scene(**changes: Any) -> topology.Scene:
    member = topology.Member
    values: dict[str, Any] = {
        "vip": "192.0.2.100",
        "floating": "10.0.50.1",
        "network": "10.0.50.0/24",
        "ports": "21, 10000-20000",
        "routers": [member("r1", ("a",)), member("r2", ("b",))],
        "servers": [member(f"ftp{n}", ("x",), "ok", "proven") for n in range(5)],
        "master": "r2",
    }
    return topology.Scene(**{**values, **changes})


def test_the_picture_shows_everybody_inside_its_frame() -> None:
    for picture in (topology.wide(_scene()), topology.tall(_scene())):
        assert [n.name for n in picture.nodes if n.name.startswith(("r", "ftp"))] == [
            "r1",
            "r2",
            *(f"ftp{n}" for n in range(5)),
        ]
        for node in picture.nodes:
            assert node.x >= 0
            assert node.y >= 0
            assert node.right <= picture.width
            assert node.y + node.h <= picture.height
        boxes = [(n.x, n.y, n.right, n.y + n.h) for n in picture.nodes]
        for place, a in enumerate(boxes):
            for b in boxes[place + 1 :]:
                assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], "boxes overlap"


def test_the_picture_names_the_master_only_if_it_is_known() -> None:
    badges = {node.name: node.badge for node in topology.wide(_scene()).nodes}
    assert (badges["r1"], badges["r2"], badges["ftp0"]) == ("BACKUP", "MASTER", "")
    assert not any(node.badge for node in topology.wide(_scene(master="")).nodes)
