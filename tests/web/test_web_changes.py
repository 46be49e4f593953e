from __future__ import annotations

from django.contrib.auth.models import User
from django.urls import reverse

from lbftp.changes import services
from lbftp.changes.models import ChangeRequest, Run
from lbftp.changes.services import outcomes, runs
from lbftp.clusters.models import Cluster
from tests.web.conftest import As
from tests.worlds import World, applied, approved, claimed, edit, finished, plan, planned, proposed

C = ChangeRequest.State


def _page(browse: As, world: World, change: ChangeRequest, who: str = "bob") -> str:
    url = reverse("changes:change", args=[change.pk])
    return browse(getattr(world, who)).get(url).content.decode()


def test_proposing_leads_to_the_change_while_it_is_planned(world: World, browse: As) -> None:
    url = reverse("changes:propose", args=[world.cluster.pk])
    answer = browse(world.bob).post(url, {"title": "First set-up", "reason": "Ticket 7"})
    change = ChangeRequest.objects.get()
    assert answer["Location"] == reverse("changes:change", args=[change.pk])
    page = _page(browse, world, change)
    assert "Planning" in page
    assert f"/ws/runs/{change.runs.get().pk}/" in page
    planned(change.runs.get())
    assert "Waiting for approval" in _page(browse, world, change)


def test_a_draft_with_errors_is_not_proposed_and_says_why(world: World, browse: As) -> None:
    edit(world, world.bob, floating="10.0.99.1")
    url = reverse("changes:propose", args=[world.cluster.pk])
    assert b"FTP011" in browse(world.bob).get(url).content
    answer = browse(world.bob).post(url, {"title": "Wrong", "reason": "Kept <b>text</b>"})
    assert answer.status_code == 422
    assert b'value="Wrong"' in answer.content
    assert b"Kept &lt;b&gt;text&lt;/b&gt;" in answer.content
    assert not ChangeRequest.objects.exists()


def test_the_plan_is_shown_step_by_step_with_its_differences(world: World, browse: As) -> None:
    page = _page(browse, world, proposed(world))
    for router in ("r1", "r2"):
        assert f'id="router-{router}"' in page
    assert "Load ip_vs_ftp" in page
    assert "/etc/modules-load.d/ip_vs_ftp.conf" in page
    assert '<tr class="add">' in page


def test_text_from_routers_and_people_is_escaped(world: World, browse: As) -> None:
    evil = '<img src=x onerror="alert(1)">'
    change = services.propose(user=world.alice, cluster=world.cluster, title=evil, reason=evil)
    job = claimed(change.runs.get())
    nasty = plan(warnings=[{"code": evil, "severity": "warning", "field": evil, "reason": evil, "remedy": evil}])
    nasty["routers"][0]["steps"][0]["title"] = evil
    nasty["routers"][0]["differences"] = [{"what": evil, "before": evil, "after": "x", "diff": f"-{evil}\n+x"}]
    nasty["routers"][0]["notes"] = [evil]
    outcomes.store_plan(run_id=job.run_id, fence=job.fence, plan=nasty, digest="e" * 64, problems=[])
    runs.finish(run_id=job.run_id, fence=job.fence, state="succeeded", outcome=evil, result={})
    for url in (reverse("changes:change", args=[change.pk]), reverse("changes:run", args=[job.run_id]), "/"):
        page = browse(world.bob).get(url).content.decode()
        assert "<img" not in page
        assert "&lt;img" in page


def test_ones_own_change_is_refused_with_a_sentence(world: World, browse: As) -> None:
    change = proposed(world, user=world.alice)
    page = _page(browse, world, change, "alice")
    assert "This is your own change: somebody else has to approve it." in page
    assert "Approve this plan" not in page
    assert "May approve: bob, carol" in page
    url = reverse("changes:approve", args=[change.pk])
    answer = browse(world.alice).post(url, {"plan_digest": change.plan_digest}, follow=True)
    assert b"somebody else has to approve it" in answer.content
    change.refresh_from_db()
    assert change.state == C.PROPOSED


def test_another_approves_and_applies(world: World, browse: As) -> None:
    change = proposed(world, user=world.alice)
    bob = browse(world.bob)
    assert "Approve this plan" in _page(browse, world, change, "bob")
    bob.post(reverse("changes:approve", args=[change.pk]), {"plan_digest": change.plan_digest, "reason": "Read it."})
    page = _page(browse, world, change, "alice")
    assert "Apply now" in page
    assert "Read it." in page
    answer = browse(world.alice).post(reverse("changes:apply", args=[change.pk]))
    run = Run.objects.get(kind=Run.Kind.APPLY)
    assert answer["Location"] == reverse("changes:run", args=[run.pk])
    assert "Watch the run" in _page(browse, world, change)
    finished(run)
    assert "Applied and proven" in _page(browse, world, change)


def test_the_approval_is_for_the_plan_that_was_on_the_page(world: World, browse: As) -> None:
    change = proposed(world)
    services.replan(user=world.alice, change=change)
    planned(change.runs.get(state=Run.State.QUEUED), "f" * 64)
    answer = browse(world.bob).post(
        reverse("changes:approve", args=[change.pk]), {"plan_digest": "d" * 64}, follow=True
    )
    assert b"The plan changed after you saw it" in answer.content


def test_rejecting_needs_a_reason_and_keeps_it(world: World, browse: As) -> None:
    change = proposed(world)
    url = reverse("changes:reject", args=[change.pk])
    empty = browse(world.bob).post(url, {"reason": "  "})
    assert empty.status_code == 422
    assert b'id="id_reason_error"' in empty.content
    # While the form shows its errors the page does not look again by itself: they would vanish.
    assert b'data-live=""' in empty.content
    browse(world.bob).post(url, {"reason": "Not on a <Friday>"})
    assert "Not on a &lt;Friday&gt;" in _page(browse, world, change)
    change.refresh_from_db()
    assert change.state == C.REJECTED


def test_what_cannot_be_done_any_more_is_said(world: World, browse: As) -> None:
    change = applied(world)
    for name in ("changes:apply", "changes:replan"):
        answer = browse(world.bob).post(reverse(name, args=[change.pk]), follow=True)
        assert b'role="alert"' in answer.content, name
        assert b"Applied" in answer.content


def test_a_stale_plan_is_explained_and_can_be_proposed_again(world: World, browse: As) -> None:
    change = approved(world)
    run = services.apply_change(user=world.bob, change=change)
    job = claimed(run)
    outcomes.mark_stale(run_id=run.pk, fence=job.fence, plan=plan("9" * 64), digest="9" * 64, reason="r1 changed.")
    runs.finish(run_id=run.pk, fence=job.fence, state="failed", outcome="Not applied: r1 changed.", result={})
    page = _page(browse, world, change)
    assert "The plan no longer fits, nothing was touched" in page
    assert "approved an earlier plan" in page
    assert "Propose this plan again" in page
    browse(world.bob).post(reverse("changes:replan", args=[change.pk]))
    change.refresh_from_db()
    assert change.state == C.PLANNING


def test_a_plan_that_was_refused_shows_every_problem(world: World, browse: As) -> None:
    change = services.propose(user=world.alice, cluster=world.cluster, title="First", reason="")
    job = claimed(change.runs.get())
    problem = {
        "code": "FTP100",
        "severity": "error",
        "field": "vip",
        "reason": "It answers.",
        "remedy": "Take another.",
    }
    outcomes.refuse_plan(run_id=job.run_id, fence=job.fence, problems=[{**problem, "router": "r1"}])
    runs.finish(run_id=job.run_id, fence=job.fence, state="failed", outcome="No plan: 1 problem.", result={})
    page = _page(browse, world, change)
    for text in ("Could not be planned", "It answers.", "Take another.", "FTP100 on r1", "Plan again"):
        assert text in page


def test_home_shows_what_waits_for_whom(world: World, browse: As) -> None:
    change = proposed(world, user=world.alice)
    assert b"Waiting for you" in browse(world.bob).get("/").content
    for other in (world.alice, world.victor):
        assert b"Waiting for you" not in browse(other).get("/").content
    services.approve(user=world.bob, change=change, plan_digest=change.plan_digest)
    assert b"Waiting for you" not in browse(world.carol).get("/").content


def test_the_list_and_the_trail(world: World, browse: As) -> None:
    change = applied(world)
    assert change.title in browse(world.victor).get(reverse("changes:changes")).content.decode()
    everything = browse(world.victor).get(reverse("changes:audit")).content.decode()
    assert "Waiting for approval" in everything
    assert "Run " in everything
    only = browse(world.victor).get(f"{reverse('changes:audit')}?subject=cluster").content.decode()
    assert "Run " not in only.partition("<table")[2]
    assert browse(world.victor).get(f"{reverse('changes:audit')}?subject=x&page=99").status_code == 200


def test_the_page_tells_what_the_approval_covers_and_what_is_otherwise_by_now(world: World, browse: As) -> None:
    change = proposed(world)
    url = reverse("changes:change", args=[change.pk])
    page = browse(world.bob).get(url).content.decode()
    for text in ("What the approval covers", "after 120 s without confirmation", "pub/probe.bin", "Router r1"):
        assert text in page
    Cluster.objects.update(guard_seconds=30)
    page = browse(world.bob).get(url).content.decode()
    assert "Auto-rollback: after 120 s without confirmation, now after 30 s without confirmation" in page
    assert "Approve this plan" not in page


def test_the_page_tells_whose_approval_counts_no_more(world: World, browse: As) -> None:
    change = approved(world)
    User.objects.filter(pk=world.bob.pk).update(is_active=False)
    page = browse(world.carol).get(reverse("changes:change", args=[change.pk])).content.decode()
    for text in ("Approvals count no more", "counts no more", "bob is locked.", "Approve this plan"):
        assert text in page
    assert "Apply now" not in page


def test_after_a_failure_the_page_says_that_it_wants_another_approval(world: World, browse: As) -> None:
    change = approved(world)
    finished(services.apply_change(user=world.bob, change=change), Run.State.FAILED)
    url = reverse("changes:change", args=[change.pk])
    assert "wants another approval, also if the plan is the same" in browse(world.bob).get(url).content.decode()
    planned(services.replan(user=world.alice, change=change))
    page = browse(world.bob).get(url).content.decode()
    assert "what was approved for it counts no more" in page
    assert "approved an earlier attempt" in page
    assert "Approve this plan" in page
