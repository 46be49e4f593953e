from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone

from lbftp.changes import services
from lbftp.changes.models import ChangeRequest
from lbftp.changes.services import comply
from lbftp.compliance.models import Occurrence, Policy
from lbftp.compliance.page import standing
from lbftp.compliance.services import set_policy
from tests.web.conftest import As
from tests.worlds import World, applied, finished

FINDING = {"code": "module", "severity": "error", "router": "r1", "what": "Not loaded", "expected": "a", "found": "b"}


def _look(world: World, *findings: dict[str, Any]) -> None:
    finished(comply(user=world.bob, cluster=world.cluster, reapply=False), findings=list(findings))


def test_a_schedule_is_set_and_told_in_words(world: World, browse: As) -> None:
    url = reverse("compliance:cluster", args=[world.cluster.pk])
    typed = {"cron": "30 6 * * 1-5", "time_zone": "Europe/Berlin", "action": "reapply", "enabled": "on"}
    applied(world)
    answer = browse(world.bob).post(url, typed)
    change = ChangeRequest.objects.latest("pk")
    assert answer["Location"] == reverse("changes:change", args=[change.pk])
    assert change.title in browse(world.victor).get(url).content.decode()
    covers = browse(world.carol).get(answer["Location"]).content.decode()
    assert "without asking anybody" in covers
    services.approve(user=world.carol, change=change, plan_digest=change.plan_digest)
    page = browse(world.victor).get(url).content.decode()
    assert "At 06:30 AM, Monday through Friday" in page
    assert len(re.findall(r"<li>\w{3} \d+ \w{3}, 06:30 CES?T</li>", page)) == 5
    assert "Report drift and re-apply" in page
    assert Policy.objects.get().next_due is not None


def test_a_wrong_expression_stays_in_the_form_with_the_reason(world: World, browse: As) -> None:
    url = reverse("compliance:cluster", args=[world.cluster.pk])
    wrong = {"cron": "61 * * * *", "time_zone": "Mars/Olympus", "action": "report"}
    page = browse(world.bob).post(url, wrong)
    assert page.status_code == 422
    assert b'value="Mars/Olympus"' in page.content
    assert b'id="id_time_zone_error"' in page.content
    page = browse(world.bob).post(url, {**wrong, "time_zone": "UTC"})
    assert b'value="61 * * * *"' in page.content
    assert b'id="id_cron_error"' in page.content
    assert not Policy.objects.exists()


def test_missed_and_skipped_times_are_shown(world: World, browse: As) -> None:
    policy = set_policy(
        user=world.bob, cluster=world.cluster, cron="*/5 * * * *", time_zone="UTC", action="report", enabled=False
    )
    assert isinstance(policy, Policy)
    now = timezone.now()
    Occurrence.objects.create(policy=policy, due=now, state="missed", reason="No tick came.")
    Occurrence.objects.create(policy=policy, due=now - timedelta(minutes=5), state="skipped", reason="Run 7 went on.")
    page = browse(world.victor).get(reverse("compliance:cluster", args=[world.cluster.pk])).content.decode()
    for text in ("No tick came.", "Run 7 went on.", "missed", "skipped", "switched off"):
        assert text in page


def test_what_stands_is_shown_since_when(world: World, browse: As) -> None:
    applied(world)
    other = {**FINDING, "code": "sysctl", "what": "Forwarding is off"}
    _look(world, FINDING)
    _look(world)
    _look(world, FINDING)
    first = world.cluster.findings.order_by("-pk")[0].at
    _look(world, FINDING, other)
    found = standing(world.cluster)
    assert [(one.row.code, one.since == first) for one in found] == [("module", True), ("sysctl", False)]
    page = browse(world.victor).get(reverse("compliance:policies")).content.decode()
    assert page.count("Not loaded") == 1
    _look(world)
    assert standing(world.cluster) == []


def test_the_strip_says_in_words_what_it_draws(world: World, browse: As) -> None:
    applied(world)
    _look(world)
    _look(world, FINDING)
    page = browse(world.victor).get("/").content.decode()
    assert 'aria-label="2 looks, 1 with findings"' in page
