from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import reverse

from lbftp.changes import run_page
from lbftp.changes.models import Run, RunEvent
from lbftp.changes.services import apply_change, comply, events, runs, verify
from lbftp.core.job import Event, Orders
from tests.web.conftest import As
from tests.worlds import World, applied, approved, claimed, finished
from workers.errors import Cancelled
from workers.report import Report


def _steps(router: str, *ids: str, phase: str = "run") -> Event:
    rows = [{"router": router, "id": one, "title": f"Title of {one}", "phase": phase} for one in ids]
    return Event("steps", router, {"steps": rows})


def _step(router: str, id_: str, state: str, **data: Any) -> Event:
    return Event("step", router, {"id": id_, "title": "", "state": state, "seconds": None, "message": "", **data})


def _session(mode: str, server: str, **data: Any) -> Event:
    row = {"mode": mode, "real_server": server, "source": "192.0.2.50", "ok": True, "seconds": 0.4, "stage": "fetch"}
    return Event("session", "", {**row, "message": "", **data})


class Going:
    """An apply run that a worker has claimed."""

    def __init__(self, world: World, browse: As) -> None:
        self.run = apply_change(user=world.bob, change=approved(world))
        self.job = claimed(self.run)
        self.client = browse(world.victor)

    def record(self, *found: Event) -> None:
        events.record(run_id=self.run.pk, fence=self.job.fence, events=found)

    def end(self, state: str, outcome: str, **result: Any) -> None:
        runs.finish(run_id=self.run.pk, fence=self.job.fence, state=state, outcome=outcome, result=result)

    def page(self) -> str:
        return self.client.get(reverse("changes:run", args=[self.run.pk])).content.decode()

    def part(self, have: str = "") -> Any:
        return self.client.get(reverse("changes:run-live", args=[self.run.pk]), {"have": have} if have else {})


def test_steps_output_and_the_bar_while_it_goes_on(world: World, browse: As) -> None:
    going = Going(world, browse)
    going.record(Event("phase", "", {"name": "apply", "title": "Apply, the backup router first"}))
    going.record(_steps("r2", "modules", "rules"), _steps("r1", "modules", "rules"))
    going.record(_step("r2", "modules", "started"), Event("output", "r2", {"step": "modules", "text": "modprobe <x>"}))
    going.record(_step("r2", "modules", "done", seconds=1.25), _step("r2", "rules", "started"))
    page = going.page()
    assert f'data-live="/ws/runs/{going.run.pk}/"' in page
    assert 'value="25"' in page
    assert re.findall(r'data-step="(\w+)" data-state="(\w+)"', page) == [
        ("modules", "done"),
        ("rules", "running"),
        ("modules", "waiting"),
        ("rules", "waiting"),
    ]
    assert "modprobe &lt;x&gt;" in page
    assert "1.2 s" in page
    assert "data-since=" in page


def test_the_page_contains_the_very_part_that_the_live_update_gets(world: World, browse: As) -> None:
    going = Going(world, browse)
    going.record(_steps("r1", "modules"), _step("r1", "modules", "started"))
    assert going.part().content.decode().strip() in going.page()


def test_nothing_new_costs_nothing(world: World, browse: As) -> None:
    going = Going(world, browse)
    going.record(_steps("r1", "modules"))
    have = re.search(r'have=([\w:]+)"', going.page())
    assert have is not None
    assert going.part(have[1]).status_code == 204
    going.record(_step("r1", "modules", "started"))
    assert going.part(have[1]).status_code == 200


def test_a_page_opened_late_shows_the_same(world: World, browse: As) -> None:
    going = Going(world, browse)
    going.record(Event("phase", "", {"name": "apply", "title": "Apply"}), _steps("r1", "modules"))
    early = going.part()
    assert early.status_code == 200
    going.record(_step("r1", "modules", "done", seconds=1.0), _session("PASV", "ftp1"))
    going.end("succeeded", "Applied.", master="r1")
    assert going.part().content == going.part().content
    late = going.page()
    assert 'data-live=""' in late
    assert "data-since" not in late


def test_what_both_routers_have_together_is_shown_after_them(world: World, browse: As) -> None:
    going = Going(world, browse)
    going.record(_steps("", "settle", phase="prove"), _steps("r2", "modules"), _steps("r1", "modules"))
    lanes = re.findall(r'lane[^"]*" id="lane-([\w-]+)"', going.page())
    assert lanes == ["r2", "r1", "-pair"]


def test_a_failure_is_told_first_and_then_what_was_put_back(world: World, browse: As) -> None:
    going = Going(world, browse)
    going.record(Event("phase", "", {"name": "apply", "title": "Apply"}), _steps("r2", "modules", "rules"))
    going.record(_step("r2", "modules", "failed", message="modprobe: not found", seconds=0.2))
    going.record(Event("phase", "", {"name": "restore", "title": "Put back what was there"}))
    going.record(_steps("r2", "restore", phase="restore"), _step("r2", "restore", "done", seconds=0.3))
    going.end("failed", "r2: the module cannot be loaded. What was there before was put back on r2.")
    page = going.page()
    reason, progress, lane = page.index("cannot be loaded"), page.index('id="run-head"'), page.index('id="lane-r2"')
    assert reason < progress < lane
    assert "modprobe: not found" in page
    assert "What was there before was put back" in page
    assert re.findall(r'data-step="(\w+)" data-state="(\w+)"', page) == [
        ("modules", "failed"),
        ("rules", "stopped"),
        ("restore", "done"),
    ]
    states = {p.phase.name: p.state for p in run_page.page(Run.objects.get(pk=going.run.pk)).phases}
    assert states == {"apply": "failed", "restore": "done"}


def test_the_verification_table(world: World, browse: As) -> None:
    going = Going(world, browse)
    going.record(
        _session("PASV", "ftp1"), _session("PASV", "ftp2"), _session("PORT", "ftp1", data_from="192.0.2.100:20")
    )
    going.record(_session("EPRT", "ftp2", ok=False, stage="list", message="425 <no>"))
    going.record(_session("EPSV", "", ok=False, stage="connect", message="timed out"))
    page = going.page()
    assert re.findall(r'<th scope="row" class="mono">(\w+)</th>', page) == ["PASV", "EPSV", "PORT", "EPRT"]
    assert "data from 192.0.2.100:20" in page
    assert "failed at list" in page
    assert "425 &lt;no&gt;" in page
    assert "Reached none" in page
    assert "not reached yet" in page


def test_the_table_tells_places_times_reasons_and_what_was_not_reached(world: World, browse: As) -> None:
    going = Going(world, browse)
    times, rates = {"connect": 0.004, "login": 0.09, "first_byte": 1.25}, {"down": 3_100_000, "up": 12_000}
    good = {"times": times, "rates": rates, "why": {}}
    why = {"works": True, "reason": "It answered <552>: its disk is full.", "hop": "real server ftp1"}
    going.record(_session("PASV", "ftp1", place="east", **good), _session("PASV", "ftp1", place="west", **good))
    bad = {"stage": "STOR", "message": "552 <full>", "command": "STOR in/x", "reply": "552 <full>", "why": why}
    ends = {"control": "192.0.2.50:4 > 192.0.2.100:21", "data": "192.0.2.50:5 > 192.0.2.100:10001"}
    going.record(_session("EPSV", "ftp1", place="east", ok=False, left="in/x", **bad, **ends))
    unseen = {"real_server": "ftp2", "reason": "Persistence of 300 s keeps <b>.", "planned": False}
    going.record(*(Event("unseen", "", {"kind": kind, **unseen}) for kind in ("PASV", "EPSV")))
    page = going.page()
    assert "3 sessions from east, west: log in, list, upload, fetch, compare, delete" in page
    assert "connect 4 ms, log-in 90 ms, first byte 1.2 s" in page
    assert "3.1 MB/s" in page
    assert "12.0 kB/s" in page
    assert "<strong>real server ftp1</strong>: It answered &lt;552&gt;: its disk is full." in page
    assert "left behind" in page
    assert all(text.replace(">", "&gt;") in page for text in ends.values())
    assert page.count("Persistence of 300 s keeps &lt;b&gt;.") == 1
    assert re.search(r'<strong>ftp2</strong> <span class="mono small">PASV, EPSV</span>', page)
    assert re.findall(r'<th scope="col">(\w+)</th>', page)[:3] == ["Client", "ftp1", "ftp2"]


def test_findings_are_expected_against_found(world: World, browse: As) -> None:
    applied(world)
    run = comply(user=world.bob, cluster=world.cluster, reapply=False)
    job = claimed(run)
    finding_base = {
        "code": "module",
        "severity": "error",
        "what": "Not loaded",
        "expected": "loaded",
        "found": "<gone>",
    }
    finding: dict[str, Any] = {**finding_base, "remedy": "Re-apply.", "repairable": True, "repaired": False}
    events.record(run_id=run.pk, fence=job.fence, events=[Event("finding", "r1", finding)])
    runs.finish(run_id=run.pk, fence=job.fence, state="succeeded", outcome="1 finding.", result={"findings": [finding]})
    page = browse(world.victor).get(reverse("changes:run", args=[run.pk])).content.decode()
    for text in ("Not loaded", "&lt;gone&gt;", "Re-apply."):
        assert text in page
    # Drift that stays is not green, though the run itself went well.
    assert 'class="alert warn"' in page


def test_looking_and_verifying_lead_to_their_runs(world: World, browse: As) -> None:
    bob = browse(world.bob)
    refused = bob.post(reverse("changes:verify", args=[world.cluster.pk]), follow=True)
    assert b"Nothing of web is applied yet" in refused.content
    applied(world)
    for name, kind in (("changes:verify", "verify"), ("changes:comply", "comply")):
        answer = bob.post(reverse(name, args=[world.cluster.pk]))
        run = Run.objects.filter(kind=kind).get()
        assert answer["Location"] == reverse("changes:run", args=[run.pk])
        assert not run.reapply
    bob.post(reverse("changes:comply", args=[world.cluster.pk]), {"reapply": "yes"})
    assert Run.objects.filter(kind="comply", reapply=True).count() == 1


def test_proofs_reach_the_fleet_and_the_cluster(world: World, browse: As) -> None:
    applied(world)
    run = verify(user=world.bob, cluster=world.cluster)
    job = claimed(run)
    rows = [_session(mode, server) for mode in ("PASV", "EPSV", "PORT") for server in ("ftp1", "ftp2")]
    # An early failure that a later session makes good does not count.
    rows = [
        _session("EPRT", "ftp1", ok=False, message="early"),
        *rows,
        _session("EPRT", "ftp1"),
        _session("EPRT", "ftp2"),
    ]
    events.record(run_id=run.pk, fence=job.fence, events=rows)
    runs.finish(run_id=run.pk, fence=job.fence, state="succeeded", outcome="All work.", result={"master": "r2"})
    home = browse(world.victor).get("/").content.decode()
    assert home.count('class="mode ok"') == 4
    assert "2 of 2" in home
    assert "In step" in home
    assert re.search(r"r2 <span class=\"role master\">MASTER</span>", home)
    cluster = browse(world.victor).get(reverse("clusters:cluster", args=[world.cluster.pk])).content.decode()
    assert "PASV works with ftp1, ftp2" in cluster
    assert "r2 was last seen holding the VIP" in cluster


def test_an_end_between_two_reads_is_on_the_page(world: World, browse: As) -> None:
    """As it was met: the row was read just before the end, its event just after, and the page said "running" for good."""
    going = Going(world, browse)
    early = Run.objects.get(pk=going.run.pk)
    going.end("succeeded", "Applied.", master="r1")
    page = run_page.page(early)
    assert (page.run.state, page.run.outcome, page.run.result["master"]) == ("succeeded", "Applied.", "r1")
    assert page.view.last_seq == RunEvent.objects.filter(run=early, kind="end").get().seq


def test_many_events_are_one_query(world: World, browse: As, django_assert_max_num_queries: Any) -> None:
    going = Going(world, browse)
    going.record(*[_steps("r1", f"s{n}") for n in range(200)], *[_step("r1", f"s{n}", "done") for n in range(200)])
    assert RunEvent.objects.count() > 400
    with django_assert_max_num_queries(14):
        going.part()


def test_a_run_that_left_something_is_plain_green_nowhere(world: World, browse: As) -> None:
    """A warning that stays is told beside the success; a check that found errors has failed, with its step."""
    applied(world)
    warning = {"code": "destination-removed", "severity": "warning", "router": "r1", "what": "ftp2 is out"}
    run = finished(comply(user=world.bob, cluster=world.cluster, reapply=True), findings=[warning])
    assert (run.left, run.shown, run.shown_words) == (1, "warning", "Succeeded, 1 warning")
    victor = browse(world.victor)
    for url in (
        reverse("changes:run", args=[run.pk]),
        reverse("changes:runs"),
        reverse("clusters:cluster", args=[world.cluster.pk]),
    ):
        page = victor.get(url).content.decode()
        assert "Succeeded, 1 warning" in page, url
        assert re.search(r'<span class="state warn[^"]*"><svg.*?</svg>Succeeded, 1 warning', page), url
    world.cluster.refresh_from_db()
    assert world.cluster.state == "drifted"
    fixed = finished(
        comply(user=world.bob, cluster=world.cluster, reapply=True), findings=[{**warning, "repaired": True}]
    )
    assert (fixed.left, fixed.shown_words) == (0, "Succeeded")


def test_an_apply_that_left_something_leaves_the_cluster_drifted(world: World) -> None:
    change = approved(world)
    warning = {"code": "destination-down", "severity": "warning", "router": "r1", "what": "ftp2 is down"}
    run = finished(apply_change(user=world.bob, change=change), findings=[warning])
    world.cluster.refresh_from_db()
    assert (run.left, world.cluster.state) == (1, "drifted")


def test_a_step_that_was_cancelled_is_not_red(world: World, browse: As) -> None:
    applied(world)
    run = comply(user=world.bob, cluster=world.cluster, reapply=False)
    job = claimed(run)
    told: list[Event] = []
    report = Report(told.append, lambda: Orders("Cancelled by bob.") if told else None)
    with pytest.raises(Cancelled), report.doing("", "look", "Look at both routers"):
        report.check()
    events.record(run_id=run.pk, fence=job.fence, events=told)
    runs.finish(run_id=run.pk, fence=job.fence, state="cancelled", outcome="Cancelled by bob.", result={})
    page = browse(world.victor).get(reverse("changes:run", args=[run.pk])).content.decode()
    assert 'data-step="look" data-state="stopped"' in page
    assert "failed" not in page
