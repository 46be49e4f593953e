"""Checkpoints on the page of a cluster: the button that proposes to go back, and the command for a router's console."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from lbftp.changes.models import ChangeRequest
from tests.changes.test_rollbacks import left
from tests.cli.test_cli import cli
from tests.web.conftest import As
from tests.worlds import World

pytestmark = pytest.mark.django_db


def test_the_clusters_page_lists_them_with_button_and_command(world: World, browse: As) -> None:
    run = left(world, "r1", "r2")
    url = reverse("clusters:cluster", args=[world.cluster.pk])
    page = browse(world.bob).get(url).content.decode()
    assert f'data-checkpoint="{run.pk}"' in page
    assert f"sh /var/lib/lbftp/roll-back run-{run.pk}-r1" in page
    assert f"sh /var/lib/lbftp/roll-back run-{run.pk}-r2" in page
    assert "Propose the roll-back" in page
    assert "Propose the roll-back" not in browse(world.victor).get(url).content.decode()
    answer = browse(world.bob).post(reverse("changes:roll-back", args=[run.pk]), {"reason": "slow"}, follow=True)
    change = ChangeRequest.objects.get(kind="rollback")
    assert answer.redirect_chain == [(reverse("changes:change", args=[change.pk]), 302)]
    assert change.reason == "slow"
    assert re.search(r"roll back to a checkpoint of", answer.content.decode())


def test_page_and_command_line_refuse_alike(world: World, browse: As) -> None:
    run = left(world)
    page = browse(world.bob).post(reverse("changes:roll-back", args=[run.pk]), follow=True).content.decode()
    words = f"Run {run.pk} has no checkpoint on the routers"
    assert words in page
    answer = cli("rollback", str(run.pk), "--user", "bob", "--no-wait")
    assert answer.status == 3
    assert words in answer.err
    assert cli("rollback", str(run.pk), "--user", "victor", "--no-wait").status == 3
    assert cli("rollback", "seven", "--user", "bob").status == 2
