from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import reverse

from lbftp.clusters import topology
from lbftp.clusters.models import Cluster
from tests.web.conftest import As
from tests.worlds import World, applied, draft, draft6, edit


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


def test_the_overview_shows_both_vips_and_what_is_not_the_guides(world: World, browse: As) -> None:
    url = reverse("clusters:cluster", args=[world.cluster.pk])
    plain = browse(world.victor).get(url).content.decode()
    assert not re.search(r'<span class="role">(advertise|TLS|IPv6|DR)</span>', plain)
    Cluster.objects.create(team=world.team, name="media", draft=draft(vrrp={"group": "web"}))
    edit(world, world.bob, **draft6(mode="advertise", tls=True, implicit_ports=[990], quorum=2))
    text = browse(world.victor).get(url).content.decode()
    for badge in ("advertise", "TLS", "IPv6"):
        assert f'<span class="role">{badge}</span>' in text
    for word in ("2001:db8::100", "fd00:50::1", "FTP, FTPS", "21, 990", "shared with media", "with media"):
        assert word in text, word
    assert "quorum 2" in text
    assert text.count("not the guide") == 1


def test_direct_routing_is_drawn_without_an_internal_floating_address(world: World, browse: As) -> None:
    edit(world, world.bob, floating="", internal_network="", mode="advertise", forwarding="DR")
    text = browse(world.victor).get(reverse("clusters:cluster", args=[world.cluster.pk])).content.decode()
    assert "DIRECT ROUTING" in text
    assert 'class="edge answer"' in text
    assert ">Floating<" not in text


def test_a_draft_without_its_addresses_has_a_page(world: World, browse: As) -> None:
    edit(world, world.bob, floating="", internal_network="")
    page = browse(world.victor).get(reverse("clusters:cluster", args=[world.cluster.pk]))
    assert (page.status_code, b"put them right" in page.content) == (200, True)


def _scene(**changes: Any) -> topology.Scene:
    member = topology.Member
    values: dict[str, Any] = {
        "vips": ["192.0.2.100"],
        "floating": ["10.0.50.1"],
        "network": "10.0.50.0/24",
        "ports": "21, 10000-20000",
        "routers": [member("r1", ("a",)), member("r2", ("b",))],
        "servers": [member(f"ftp{n}", ("x",), "ok", "proven") for n in range(5)],
        "master": "r2",
    }
    return topology.Scene(**{**values, **changes})


LONG = "2001:db8:1234:5678:9abc:def0:1234:5678"
SCENES = [
    _scene(),
    _scene(
        vips=["192.0.2.100", LONG],
        floating=["10.0.50.1", LONG],
        shared="media, files",
        ports="21, 2121, 990, 1024-65535",
    ),
    _scene(floating=[], behind="DIRECT ROUTING"),
    _scene(floating=[], servers=[], routers=[]),
]


@pytest.mark.parametrize("scene", SCENES, ids=["guide", "long", "direct", "nothing"])
def test_the_picture_shows_everybody_inside_its_frame(scene: topology.Scene) -> None:
    for picture in (topology.wide(scene), topology.tall(scene)):
        members = [*scene.routers, *scene.servers]
        assert [n.name for n in picture.nodes if n.name.startswith(("r", "ftp"))] == [m.name for m in members]
        for node in picture.nodes:
            assert all(y <= node.y + node.h for y, _ in node.texts), "lines leave the box"
            assert all(len(line) <= 21 for _, line in node.texts), "lines are wider than the box"
            assert node.x >= 0
            assert node.y >= 0
            assert node.right <= picture.width
            assert node.y + node.h <= picture.height
        boxes = [(n.x, n.y, n.right, n.y + n.h) for n in picture.nodes]
        for place, a in enumerate(boxes):
            for b in boxes[place + 1 :]:
                assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], "boxes overlap"


def test_every_router_sends_to_every_server_where_there_is_no_floating_address() -> None:
    nobody_knows = topology.wide(_scene(floating=[], master=""))
    assert len(nobody_knows.edges) == 1 + 2 + 2 * 5 + 1
    known = topology.wide(_scene(floating=[]))
    assert len(known.edges) == 1 + 2 + 1 * 5 + 1


def test_the_picture_names_the_master_only_if_it_is_known() -> None:
    badges = {node.name: node.badge for node in topology.wide(_scene()).nodes}
    assert (badges["r1"], badges["r2"], badges["ftp0"]) == ("BACKUP", "MASTER", "")
    assert not any(node.badge for node in topology.wide(_scene(master="")).nodes)
