from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from lbftp.changes import services
from lbftp.changes.errors import LostClaim, Refused
from lbftp.changes.models import ChangeRequest, Lease, Run, RunEvent, Transition
from lbftp.changes.services import claims, runs
from lbftp.changes.services.sweep import sweep
from lbftp.clusters.models import Cluster
from lbftp.compliance.models import FindingRow
from lbftp.core.job import Event
from lbftp.core.spec import from_json
from lbftp.inventory.models import ProbeHost
from tests.conftest import Race
from tests.worlds import (
    CANARY_FTP,
    CANARY_KEY,
    CANARY_SUDO,
    World,
    applied,
    approved,
    claimed,
    finished,
    planned,
    proposed,
)

pytestmark = pytest.mark.django_db
R = Run.State


def fresh(world: World, **columns: Any) -> Run:
    run = runs.start(kind=Run.Kind.FACTS, team=world.team, host=world.r1)
    Run.objects.filter(pk=run.pk).update(**columns)
    run.refresh_from_db()
    return run


def long_ago(seconds: float) -> datetime:
    return timezone.now() - timedelta(seconds=seconds)


def test_a_claim_hands_over_the_job_once(world: World) -> None:
    run = fresh(world)
    job = claimed(run)
    assert (job.run_id, job.kind, job.fence) == (run.pk, "facts", 1)
    assert runs.claim(run_id=run.pk, worker="worker-2") is None
    run.refresh_from_db()
    assert (run.state, run.attempts, run.fence, run.worker) == (R.RUNNING, 1, 1, "worker-1")
    assert run.started_at is not None


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_one_gets_the_run(world: World, race: Race) -> None:
    run = fresh(world)
    jobs = race(*[lambda: runs.claim(run_id=run.pk, worker="w") for _ in range(4)])
    assert sum(job is not None for job in jobs) == 1
    run.refresh_from_db()
    assert (run.attempts, run.fence) == (1, 1)


@pytest.mark.parametrize("state", [R.SUCCEEDED, R.FAILED, R.ERRORED, R.CANCELLED])
def test_what_is_over_or_gone_is_not_claimed(world: World, state: str) -> None:
    run = fresh(world, state=state)
    assert runs.claim(run_id=run.pk, worker="w") is None
    run.delete()
    assert runs.claim(run_id=12345, worker="w") is None


def test_a_silent_worker_loses_its_run(world: World) -> None:
    run = fresh(world)
    old = claimed(run)
    Run.objects.update(heartbeat_at=long_ago(46))
    new = runs.claim(run_id=run.pk, worker="worker-2")
    assert new is not None
    assert new.fence == old.fence + 1
    assert [e.data["text"] for e in run.events.all()] == ["worker-1 fell silent; worker-2 goes on (attempt 2 of 3)."]
    assert not runs.heartbeat(run_id=run.pk, fence=old.fence)
    for write in (
        lambda: runs.record(run_id=run.pk, fence=old.fence, events=[Event("note")]),
        lambda: runs.take_leases(run_id=run.pk, fence=old.fence, router_names=["r1"]),
        lambda: runs.finish(run_id=run.pk, fence=old.fence, state=R.SUCCEEDED, outcome="", result={}),
    ):
        with pytest.raises(LostClaim):
            write()
    assert runs.heartbeat(run_id=run.pk, fence=new.fence)


def test_a_heartbeat_keeps_the_run(world: World) -> None:
    run = fresh(world)
    job = claimed(run)
    Run.objects.update(heartbeat_at=long_ago(44))
    assert runs.claim(run_id=run.pk, worker="worker-2") is None
    Run.objects.update(heartbeat_at=long_ago(100))
    assert runs.heartbeat(run_id=run.pk, fence=job.fence)
    assert runs.claim(run_id=run.pk, worker="worker-2") is None


def test_a_poisonous_run_stops_after_three_attempts(world: World) -> None:
    change = approved(world)
    run = services.apply_change(user=world.bob, change=change)
    for attempt in range(1, claims.MAX_ATTEMPTS + 1):
        assert claimed(run).fence == attempt
        Run.objects.update(heartbeat_at=long_ago(60))
    assert runs.claim(run_id=run.pk, worker="w") is None
    run.refresh_from_db()
    assert (run.state, run.attempts) == (R.ERRORED, 3)
    assert "3 workers died" in run.outcome
    assert "look at the workers' log, then start a new run" in run.outcome
    assert ChangeRequest.objects.get(pk=change.pk).state == ChangeRequest.State.FAILED
    assert Cluster.objects.get().state == Cluster.State.FAILED
    assert [t.new for t in Transition.objects.filter(subject="run", subject_id=run.pk)] == [R.RUNNING] * 3 + [R.ERRORED]


def test_the_end_is_an_event_and_a_sentence(world: World) -> None:
    run = finished(fresh(world), R.FAILED, why="no route")
    assert (run.state, run.outcome, run.result) == (R.FAILED, "It failed.", {"why": "no route"})
    last = run.events.last()
    assert last is not None
    assert (last.kind, last.data) == ("end", {"state": "failed", "outcome": "It failed."})
    with pytest.raises(LostClaim):
        runs.finish(run_id=run.pk, fence=run.fence, state=R.SUCCEEDED, outcome="", result={})


def test_events_are_numbered_without_a_gap(world: World) -> None:
    run = fresh(world)
    job = claimed(run)
    assert runs.record(run_id=run.pk, fence=job.fence, events=[Event("note"), Event("note", "r1")]) == 2
    assert runs.record(run_id=run.pk, fence=job.fence, events=[]) == 2
    assert runs.record(run_id=run.pk, fence=job.fence, events=[Event("output", "r1", {"text": "a\x00b\udcff"})]) == 3
    assert [e.seq for e in run.events.all()] == [1, 2, 3]
    last = run.events.last()
    assert last is not None
    assert last.data == {"text": "a\u2400b\ufffd"}


@pytest.mark.django_db(transaction=True)
def test_events_from_several_threads_are_numbered_without_a_gap(world: World, race: Race) -> None:
    run = fresh(world)
    job = claimed(run)

    def lane() -> int:
        for _ in range(10):
            last = runs.record(run_id=run.pk, fence=job.fence, events=[Event("note"), Event("note")])
        return last

    results = race(lane, lane, lane)
    assert max(r for r in results if isinstance(r, int)) == 60
    assert list(RunEvent.objects.values_list("seq", flat=True)) == list(range(1, 61))


def test_leases_keep_a_second_run_off_the_routers(world: World) -> None:
    one, two = fresh(world), fresh(world)
    first, second = claimed(one), claimed(two)
    assert runs.take_leases(run_id=one.pk, fence=first.fence, router_names=["r2", "r1"])
    assert not runs.take_leases(run_id=two.pk, fence=second.fence, router_names=["r2"])
    assert runs.take_leases(run_id=one.pk, fence=first.fence, router_names=["r1"])
    runs.release_leases(run_id=one.pk)
    assert runs.take_leases(run_id=two.pk, fence=second.fence, router_names=["r1", "r2"])
    assert [lease.fence for lease in Lease.objects.order_by("router__name")] == [3, 2]


def test_leases_are_taken_all_or_none(world: World) -> None:
    one, two = fresh(world), fresh(world)
    first, second = claimed(one), claimed(two)
    runs.take_leases(run_id=one.pk, fence=first.fence, router_names=["r2"])
    assert not runs.take_leases(run_id=two.pk, fence=second.fence, router_names=["r1", "r2"])
    assert not Lease.objects.filter(run=two).exists()


def test_leases_end_with_the_heartbeat(world: World) -> None:
    one, two = fresh(world), fresh(world)
    first, second = claimed(one), claimed(two)
    runs.take_leases(run_id=one.pk, fence=first.fence, router_names=["r1"])
    Lease.objects.update(expires_at=long_ago(1))
    runs.heartbeat(run_id=one.pk, fence=first.fence)
    assert not runs.take_leases(run_id=two.pk, fence=second.fence, router_names=["r1"])
    Lease.objects.update(expires_at=long_ago(1))
    assert runs.take_leases(run_id=two.pk, fence=second.fence, router_names=["r1"])


def test_the_end_of_a_run_gives_its_leases_back(world: World) -> None:
    run = fresh(world)
    job = claimed(run)
    runs.take_leases(run_id=run.pk, fence=job.fence, router_names=["r1"])
    runs.finish(run_id=run.pk, fence=job.fence, state=R.SUCCEEDED, outcome="", result={})
    assert Lease.objects.get().run is None


@pytest.mark.django_db(transaction=True)
def test_of_two_runs_wanting_a_router_at_once_one_gets_it(world: World, race: Race) -> None:
    one, two = fresh(world), fresh(world)
    jobs = [claimed(one), claimed(two)]

    def take(number: int) -> bool:
        job = jobs[number]
        return runs.take_leases(run_id=job.run_id, fence=job.fence, router_names=["r1", "r2"])

    assert sorted(map(bool, race(lambda: take(0), lambda: take(1)))) == [False, True]


@pytest.mark.django_db(transaction=True)
def test_a_started_run_is_sent_after_commit(world: World) -> None:
    run = runs.start(kind=Run.Kind.FACTS, team=world.team, host=world.r1)
    run.refresh_from_db()
    assert run.sent_at is not None


def test_the_sweep_sends_what_was_never_taken(world: World) -> None:
    now = timezone.now()
    unsent, lost, new = fresh(world), fresh(world), fresh(world)
    Run.objects.filter(pk=unsent.pk).update(created_at=long_ago(20))
    Run.objects.filter(pk=lost.pk).update(created_at=long_ago(20), sent_at=long_ago(20))
    assert sweep(now=now) == [unsent.pk, lost.pk]
    assert sweep(now=now) == []
    new.refresh_from_db()
    assert new.sent_at is None


def test_the_sweep_sends_long_waiting_runs_ever_more_rarely(world: World) -> None:
    run = fresh(world, created_at=long_ago(1000), sent_at=long_ago(100))
    assert sweep(now=timezone.now()) == []
    Run.objects.filter(pk=run.pk).update(sent_at=long_ago(500))
    assert sweep(now=timezone.now()) == [run.pk]


def test_the_sweep_sends_runs_of_silent_workers(world: World) -> None:
    silent, alive, over = fresh(world), fresh(world), finished(fresh(world))
    claimed(silent)
    claimed(alive)
    Run.objects.filter(pk__in=[silent.pk, over.pk]).update(heartbeat_at=long_ago(46), sent_at=long_ago(100))
    assert sweep(now=timezone.now()) == [silent.pk]


def test_a_silent_worker_is_told_of_before_another_takes_over(world: World) -> None:
    """Who watches learns it within 45 s: after 30, at the next tick."""
    silent, alive = fresh(world), fresh(world)
    claimed(silent)
    claimed(alive)
    Run.objects.filter(pk=silent.pk).update(heartbeat_at=long_ago(31))
    for _ in range(2):
        sweep(now=timezone.now())
    assert [e.data["text"].partition(".")[0] for e in silent.events.all()] == [
        "worker-1 has not been heard of for 30 s"
    ]
    assert not alive.events.exists()
    Run.objects.filter(pk=silent.pk).update(heartbeat_at=long_ago(46))
    assert runs.claim(run_id=silent.pk, worker="worker-2") is not None
    Run.objects.filter(pk=silent.pk).update(heartbeat_at=long_ago(31))
    sweep(now=timezone.now())
    last = silent.events.last()
    assert last is not None
    assert "worker-2 has not been heard of" in last.data["text"]


def test_the_job_of_an_apply_is_complete(world: World) -> None:
    change = approved(world)
    job = claimed(services.apply_change(user=world.bob, change=change))
    assert job.spec == from_json(change.revision.spec)
    assert (job.previous, job.approved_digest, job.others, job.target) == (None, "d" * 64, (), None)
    assert [(a.name, a.port, a.key, a.sudo, a.sudo_password) for a in job.routers] == [
        ("r1", 2201, CANARY_KEY, True, CANARY_SUDO),
        ("r2", 2202, CANARY_KEY, True, CANARY_SUDO),
    ]
    assert job.routers[0].host_key == world.r1.host_key
    assert job.probe is not None
    assert (job.probe.username, job.probe.password, job.probe.path) == ("probe", CANARY_FTP, "pub/probe.bin")
    for secret in (CANARY_KEY, CANARY_SUDO, CANARY_FTP):
        assert secret not in repr(job)


def test_sessions_are_made_from_every_probe_host_and_from_the_worker_if_it_is_to(world: World) -> None:
    other = ProbeHost.objects.create(
        team=world.team, name="branch", address="127.0.0.1", credential=world.key, source_addresses=["192.0.2.60"]
    )
    world.cluster.probe_hosts.add(other)
    Cluster.objects.filter(pk=world.cluster.pk).update(probe_worker=True, probe_upload_folder="incoming")
    applied(world)
    job = claimed(services.verify(user=world.bob, cluster=world.cluster))
    assert [(p.name, p.sources, p.upload) for p in job.probes] == [
        ("branch", ("192.0.2.60",), "incoming"), ("client", (), "incoming"), ("the worker", (), "incoming"),
    ]  # fmt: skip
    assert CANARY_FTP not in repr(job.probes)
    Cluster.objects.filter(pk=world.cluster.pk).update(probe_account=None)
    assert claimed(services.verify(user=world.bob, cluster=world.cluster)).probes == ()


def test_the_job_after_an_apply_knows_what_is_applied(world: World) -> None:
    change = applied(world)
    job = claimed(services.verify(user=world.bob, cluster=world.cluster))
    assert job.previous == job.spec == from_json(change.revision.spec)
    assert job.approved_digest == ""


def test_a_plan_nobody_proposed_is_of_the_draft_and_stays_in_the_run(world: World) -> None:
    run = services.plan_only(user=world.bob, cluster=world.cluster)
    planned(run)
    run.refresh_from_db()
    assert run.result["plan"]["digest"] == run.result["plan_digest"] == "d" * 64
    assert not world.cluster.revisions.exists()


def test_a_run_whose_router_is_gone_ends_with_the_reason(world: World) -> None:
    change = proposed(world)
    run = services.replan(user=world.bob, change=change)
    world.r2.name = "elsewhere"
    world.r2.save()
    assert runs.claim(run_id=run.pk, worker="w") is None
    run.refresh_from_db()
    assert run.state == R.ERRORED
    assert "r2 was removed from the inventory" in run.outcome
    assert ChangeRequest.objects.get(pk=change.pk).state == ChangeRequest.State.REFUSED


FINDING = {
    "code": "MOD1", "severity": "error", "router": "r1", "what": "ip_vs_ftp", "expected": "loaded", "found": "absent",
    "remedy": "load it",
}  # fmt: skip


@pytest.mark.parametrize(
    ("state", "findings", "seen"),
    [
        ("succeeded", [], "in_step"),
        ("succeeded", [FINDING], "drifted"),
        ("failed", [FINDING], "drifted"),
        ("succeeded", [{**FINDING, "repaired": True}], "in_step"),
        ("succeeded", [{**FINDING, "severity": "info"}], "in_step"),
        ("failed", [], "unknown"),
        ("errored", [], "in_step"),
        ("cancelled", [], "in_step"),
    ],
)
def test_what_a_compliance_run_says_about_the_cluster(
    world: World, state: str, findings: list[dict[str, Any]], seen: str
) -> None:
    applied(world)
    finished(services.comply(user=None, cluster=world.cluster, reapply=False), state, findings=findings)
    assert Cluster.objects.get().state == seen
    assert FindingRow.objects.count() == len(findings)


def test_findings_are_kept_with_expected_and_found(world: World) -> None:
    applied(world)
    finished(
        services.comply(user=world.bob, cluster=world.cluster, reapply=True), findings=[{**FINDING, "what": "x" * 999}]
    )
    row = FindingRow.objects.get()
    assert (row.code, row.router, row.expected, row.found, row.repaired) == ("MOD1", "r1", "loaded", "absent", False)
    assert len(row.what) == 300


def test_a_check_does_not_hide_that_a_change_is_being_applied(world: World) -> None:
    applied(world)
    check = services.verify(user=world.bob, cluster=world.cluster)
    services.apply_change(user=world.bob, change=approved(world))
    finished(check)
    assert Cluster.objects.get().state == Cluster.State.APPLYING


def test_nothing_can_be_verified_before_something_is_applied(world: World) -> None:
    with pytest.raises(Refused, match="Nothing of web is applied yet"):
        services.verify(user=world.bob, cluster=world.cluster)
