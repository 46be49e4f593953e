from __future__ import annotations

import pytest
from django.urls import reverse

from lbftp.changes.models import Run
from lbftp.changes.services import runs
from lbftp.clusters.models import Cluster
from lbftp.core.importing import propose
from tests.core.test_importing import pair_of
from tests.web.conftest import As
from tests.worlds import World, claimed

pytestmark = pytest.mark.django_db


def imported(world: World, case: str = "by-hand") -> Run:
    """An import run that ended."""
    from lbftp.changes.services import imports

    run = imports.start(user=world.bob, team=world.team, routers=[world.r1, world.r2])
    job = claimed(run)
    result = {"proposals": [p.to_json() for p in propose(pair_of(case))]}
    runs.finish(run_id=run.pk, fence=job.fence, state="succeeded", outcome="Found ftp.", result=result)
    run.refresh_from_db()
    return run


def test_the_routers_page_starts_an_import_of_the_pair(world: World, browse: As) -> None:
    page = browse(world.bob).get(reverse("inventory:router", args=[world.r1.pk])).content.decode()
    assert "Import what is there" in page
    assert f'<option value="{world.r2.pk}">r2</option>' in page
    answer = browse(world.bob).post(reverse("changes:import", args=[world.r1.pk]), {"beside": str(world.r2.pk)})
    run = Run.objects.get(kind=Run.Kind.IMPORT)
    assert answer["Location"] == reverse("changes:run", args=[run.pk])
    assert run.router_ids == [world.r1.pk, world.r2.pk]
    assert "Import · r1 and r2" in browse(world.bob).get(answer["Location"]).content.decode()


def test_viewers_and_strangers_start_no_import(world: World, browse: As) -> None:
    url = reverse("changes:import", args=[world.r1.pk])
    assert (
        "Import what is there"
        not in browse(world.victor).get(reverse("inventory:router", args=[world.r1.pk])).content.decode()
    )
    assert browse(world.victor).post(url).status_code == 403
    assert browse(world.mallory).post(url).status_code == 404
    assert not Run.objects.filter(kind=Run.Kind.IMPORT).exists()


def test_the_run_shows_what_was_found_left_and_in_the_way(world: World, browse: As) -> None:
    run = imported(world)
    page = browse(world.bob).get(reverse("changes:run", args=[run.pk])).content.decode()
    for text in (
        "192.0.2.100",
        "12000-13999",
        "authentication of VI out",
        "to be removed by hand",
        "services.d/ftp.conf:2",
    ):
        assert text in page, text
    assert "Save as a draft" in page
    assert "Save as a draft" not in browse(world.victor).get(reverse("changes:run", args=[run.pk])).content.decode()


def test_a_proposal_becomes_a_draft_under_the_name_that_is_typed(world: World, browse: As) -> None:
    run = imported(world)
    url = reverse("changes:run-import", args=[run.pk])
    taken = browse(world.bob).post(url, {"proposal": "ftp", "name": "web"}, follow=True)
    assert b"There is a cluster web in this team already." in taken.content
    answer = browse(world.bob).post(url, {"proposal": "ftp", "name": "files"})
    saved = Cluster.objects.get(name="files")
    assert answer["Location"] == reverse("clusters:edit", args=[saved.pk])
    assert saved.draft["passive"] == {"low": 12000, "high": 13999}
    assert list(saved.draft_editors.all()) == [world.bob]
    assert b"192.0.2.100" in browse(world.bob).get(answer["Location"]).content


def test_nonsense_names_no_proposal(world: World, browse: As) -> None:
    url = reverse("changes:run-import", args=[imported(world).pk])
    page = browse(world.bob).post(url, {"proposal": "other"}, follow=True)
    assert b"proposes no cluster" in page.content
    assert browse(world.victor).post(url, {"proposal": "ftp"}).status_code == 403
    assert browse(world.mallory).post(url, {"proposal": "ftp"}).status_code == 404
    assert Cluster.objects.count() == 1
