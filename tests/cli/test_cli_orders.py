"""Dry runs, cancelling and extending from a shell."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connections

from lbftp.changes import services
from lbftp.changes.models import Run
from lbftp.changes.services import runs
from lbftp.clusters.models import Cluster
from lbftp.core.job import Event, Job
from tests.cli.test_cli import Work, applies, cli, end, fails, goes_stale, threaded, working
from tests.worlds import World, approved, proposed

pytestmark = pytest.mark.django_db


@threaded
@pytest.mark.parametrize(("work", "status"), [(applies, 0), (fails, 1), (goes_stale, 3)])
def test_a_dry_run_leaves_the_change_as_it_is(world: World, work: Work, status: int) -> None:
    change = proposed(world)
    with working(work):
        answer = cli("apply", str(change.pk), "--dry-run", "--user", "alice", "--json")
    assert (answer.status, answer.json["state"], answer.json["run"]["dry"]) == (status, "proposed", True)
    assert Cluster.objects.get().state == Cluster.State.UNKNOWN


@threaded
def test_cancel_waits_until_everything_is_put_back(world: World) -> None:
    run = services.apply_change(user=world.bob, change=approved(world))
    job = runs.claim(run_id=run.pk, worker="w")
    assert job is not None

    def stop() -> None:
        while not (told := runs.heartbeat(run_id=run.pk, fence=job.fence)) or not told.cancel:
            time.sleep(0.02)
        runs.finish(run_id=run.pk, fence=job.fence, state="cancelled", outcome=told.cancel, result={})
        connections.close_all()

    worker = threading.Thread(target=stop)
    worker.start()
    answer = cli("cancel", str(run.pk), "--user", "carol", "--timeout", "20")
    worker.join(20)
    assert answer.status == 0
    assert "== cancelled: Cancelled by carol." in answer.out
    again = cli("cancel", str(run.pk), "--user", "carol")
    assert (again.status, "This run is over; it is: Cancelled." in again.err) == (3, True)


def test_cancel_and_extend_have_the_same_rules(world: World) -> None:
    run = services.apply_change(user=world.bob, change=approved(world))
    assert cli("extend", str(run.pk), "--user", "bob").status == 3
    assert runs.claim(run_id=run.pk, worker="w") is not None
    assert cli("extend", str(run.pk), "--user", "bob").status == 0
    for user, status in (("victor", 3), ("mallory", 2), ("root", 2)):
        assert cli("cancel", str(run.pk), "--user", user, "--no-wait").status == status
        assert cli("extend", str(run.pk), "--user", user).status == status
        assert cli("confirm", str(run.pk), "--user", user, "--no-wait").status == status
    assert cli("confirm", str(run.pk), "--user", "bob", "--no-wait").status == 3
    assert cli("cancel", "x", "--user", "bob").status == 2
    answer = cli("cancel", str(run.pk), "--user", "bob", "--no-wait", "--json")
    assert (answer.status, answer.json["state"]) == (0, "running")


@threaded
def test_guards_and_the_way_back_are_told(world: World) -> None:
    def guarded(_run: Run, job: Job) -> None:
        found = [Event("checkpoint", "r1", {"name": "run-7-ab12"})]
        found += [
            Event("guard", "r1", {"state": "armed", "seconds": 120, "until": "2030-01-01T00:00:00+00:00"}),
            Event("guard", "r1", {"state": "confirmed", "seconds": 0, "until": None}),
        ]
        runs.record(run_id=job.run_id, fence=job.fence, events=found)
        end(job)

    change = approved(world)
    with working(guarded):
        said = cli("apply", str(change.pk), "--user", "bob").out
    assert "[r1] by hand, as root: sh /var/lib/lbftp/checkpoints/run-7-ab12/restore" in said
    assert "[r1] guard: armed, puts back in 120 s unless confirmed" in said
    assert "[r1] guard: confirmed" in said
