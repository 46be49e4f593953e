"""The page "Why?": every kind of client, its way, and what sessions showed."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import reverse

from lbftp.changes import services
from lbftp.changes.models import Run
from lbftp.changes.services import runs
from lbftp.core.job import Event
from tests.web.conftest import As
from tests.worlds import World, applied, claimed, draft6, edit


def page(world: World, browse: As, query: str = "") -> str:
    answer = browse(world.victor).get(reverse("clusters:why", args=[world.cluster.pk]) + query)
    assert answer.status_code == 200
    return answer.content.decode()


def words(text: str) -> str:
    """What a reader without pictures gets."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def test_every_promised_kind_works_and_leads_to_its_way(world: World, browse: As) -> None:
    text = page(world, browse)
    assert "everything promised works" in text
    # Four plain modes are promised and work; under TLS the helper is blind, and nothing of it is promised.
    assert text.count("not tried") == 4
    assert text.count("not promised") >= 4
    for client in ("plain-pasv", "plain-eprt", "tls-pasv"):
        assert f'href="?client={client}&amp;ip=4&amp;port=21&amp;of=draft"' in text


def test_the_way_of_a_client_that_fails(world: World, browse: As) -> None:
    text = page(world, browse, "?client=tls-pasv&ip=4&port=21")
    assert "PASV, explicit TLS, IPv4, port 21: unreachable, not promised" in words(text)
    assert "under TLS ip_vs_ftp cannot read the control connection" in text
    hops = re.findall(r'<li class="is-(\w+)[^"]*" id="hop-(\d+)">', text)
    assert [state for state, _ in hops] == ["ok"] * (len(hops) - 1) + ["bad"]
    assert f"stops at {len(hops)}" in text
    # The picture has a dot for each hop, and a square where the way stops: not by colour alone.
    assert text.count('class="dot"') == len(hops)
    assert text.count('<rect class="dot"') == 1


def test_a_client_that_was_here_before(world: World, browse: As) -> None:
    weightless = [{"name": "ftp1", "weight": 0}, {"name": "ftp2", "weight": 0}]
    edit(world, world.bob, real_servers=weightless)
    text = page(world, browse, "?client=plain-epsv")
    assert "EPSV, plain, IPv4, port 21: refused" in words(text)
    assert "4 promised and broken" in text
    warm = page(world, browse, "?client=plain-epsv&pinned=1")
    assert "EPSV, plain, IPv4, port 21: ok" in words(warm)
    assert "An earlier session holds the client to a real server with weight 0" in warm


def test_what_is_applied_beside_the_draft(world: World, browse: As) -> None:
    applied(world)
    edit(world, world.bob, **draft6(passive={"low": 30000, "high": 31000}))
    text = page(world, browse)
    assert "revision 1, which is applied" in text
    assert "VIP:10000" in text
    text = page(world, browse, "?of=draft")
    assert "Followed by the draft" in text
    assert "VIP:30000" in text
    assert "IPv4 only" in text


def sessions(world: World, *rows: dict[str, Any]) -> Run:
    run = services.verify(user=world.bob, cluster=world.cluster)
    job = claimed(run)
    events = [Event("session", data={"ok": True, "real_server": "ftp1", **row}) for row in rows]
    runs.record(run_id=run.pk, fence=job.fence, events=events)
    runs.finish(run_id=run.pk, fence=job.fence, state="succeeded", outcome="Seen.", result={})
    return run


def test_what_sessions_showed(world: World, browse: As) -> None:
    applied(world)
    kind = {"tls": "none", "ip": 4, "port": 21}
    run = sessions(
        world, {"mode": "PASV"}, {"mode": "EPSV", **kind, "ok": False}, {"mode": "PORT", **kind, "port": 2121}
    )
    text = page(world, browse, "?client=plain-epsv")
    assert ', <span class="t-bad">1 last seen to fail' in text
    assert (text.count("seen to work"), text.count("last seen to fail"), text.count("not tried")) == (1, 2, 2)
    assert "A session of this kind last failed" in text
    assert reverse("changes:run", args=[run.pk]) in text


@pytest.mark.parametrize("query", ["?client=implicit-pasv", "?client=plain-pasv&ip=6", "?port=x"])
def test_kinds_that_cannot_come_are_not_found(world: World, browse: As, query: str) -> None:
    assert browse(world.victor).get(reverse("clusters:why", args=[world.cluster.pk]) + query).status_code == 404


def test_strangers_find_nothing_and_a_draft_may_be_half_done(world: World, browse: As) -> None:
    address = reverse("clusters:why", args=[world.cluster.pk])
    assert browse(world.mallory).get(address).status_code == 404
    edit(world, world.bob, vip="")
    assert "The draft is no whole cluster yet" in browse(world.victor).get(address).content.decode()


def test_the_clusters_page_leads_here(world: World, browse: As) -> None:
    text = browse(world.victor).get(reverse("clusters:cluster", args=[world.cluster.pk])).content.decode()
    assert f'href="{reverse("clusters:why", args=[world.cluster.pk])}"' in text
