"""A run whose time is over: it says what took how long, and what state things are in. The worker and SSH are real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from lbftp.changes import services
from lbftp.changes.errors import Invalid
from lbftp.changes.models import ChangeRequest, Run
from lbftp.changes.services import runs
from lbftp.changes.services.durations import limits_of
from lbftp.clusters import services as clusters
from lbftp.clusters.models import Cluster
from lbftp.core.job import Event, Job, Orders
from lbftp.core.program import Hold
from lbftp.proofs.services import proposing
from ops.bench.sshd import Target, private_sshd
from ops.places import ROOT
from tests.worlds import World, applied, approved, edit
from workers import by_hand, execution
from workers.breaking_off import broken_off
from workers.by_hand import Standstill, await_person
from workers.errors import OutOfTime
from workers.outcome import Outcome
from workers.remote import Limits
from workers.report import PAIR, Report

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

SECONDS = 5


@contextmanager
def worker(redis: Path) -> Iterator[None]:
    """A real one on the test's database, whose runs may work for a few seconds."""
    env = os.environ | {
        "LBFTP_DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        "LBFTP_REDIS_SOCKET": str(redis),
        "LBFTP_TASK_TIME_LIMIT": str(SECONDS),
    }
    words = ["-m", "celery", "-A", "lbftp", "worker", "--concurrency=1", "--loglevel=WARNING"]
    process = subprocess.Popen([sys.executable, *words], cwd=ROOT, env=env)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def reached(world: World, target: Target) -> None:
    """Both routers are this SSH server."""
    world.key.username, world.key.secret, world.key.use_sudo = target.user, Path(target.key).read_text(), False
    world.key.save()
    for router in (world.r1, world.r2):
        router.port, router.host_key = target.port, target.host_key
        router.save()


def ended(run: Run, seconds: float = 120) -> Run:
    end = time.monotonic() + seconds
    while run.state in ("queued", "running"):
        assert time.monotonic() < end, f"it is still {run.state}"
        time.sleep(0.2)
        run.refresh_from_db()
    return run


def test_a_machine_that_says_nothing_ends_the_run_in_words(
    world: World, redis_socket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "RUN_SECONDS", SECONDS)
    with private_sshd(tmp_path / "d", {"ForceCommand": "exec sleep 300"}) as target, worker(redis_socket):
        reached(world, target)
        run = ended(runs.start(kind=Run.Kind.FACTS, team=world.team, host=world.r1))
        assert run.state == Run.State.FAILED, run.outcome
        assert (
            f"and may take {SECONDS} s: it was ended. “Look at the router” on r1 had been going on for" in run.outcome
        )
        assert "No change of it is left on any machine." in run.outcome
        [step] = run.events.filter(kind="step", data__state="failed")
        assert step.data["id"] == "facts"
        # The worker's process lives, and takes the next one.
        after = ended(runs.start(kind=Run.Kind.ENROL, team=world.team, host=world.r2))
        assert (after.state, after.attempts) == (Run.State.SUCCEEDED, 1)


Work = Callable[[Job, Report, Limits], Outcome]


def test_between_two_steps_a_run_sees_that_its_time_is_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "RUN_SECONDS", 1)
    for name in ("waits", "taking_over"):
        monkeypatch.setattr(f"lbftp.core.durations.{name}", lambda _need: 0)
    run = services.apply_change(user=world.bob, change=approved(world))

    def slow(_job: Job, report: Report, _limits: Limits) -> Outcome:
        for n in range(100):
            with report.doing(PAIR, f"s{n}", "One more"):
                time.sleep(0.1)
        raise AssertionError("nobody ended it")

    monkeypatch.setattr(execution, "KINDS", {"apply": slow})
    execution.run_claimed(run.pk)
    run.refresh_from_db()
    assert run.state == Run.State.FAILED
    assert "may take 1 s: it was ended. “One more” had been going on for 0 s." in run.outcome
    assert ChangeRequest.objects.get().state == ChangeRequest.State.FAILED
    # What began also ended, and nothing is red that was done.
    states = [e.data["state"] for e in run.events.filter(kind="step")]
    assert states.count("started") == states.count("done")


def test_what_has_to_be_done_wholly_is_not_broken_off() -> None:
    told: list[Event] = []
    report = Report(told.append, lambda: None, 1)
    report.cancellable = False
    with broken_off(report):
        time.sleep(1.1)
        os.kill(os.getpid(), signal.SIGUSR1)
        report.check()
    begun = Report(told.append, lambda: None, 60)
    with broken_off(begun), pytest.raises(OutOfTime, match="“Apply” on r1"):
        _struck(begun)
    assert told[-1].data["state"] == "failed"


def _struck(report: Report) -> None:
    """In the middle of a step Celery's signal comes."""
    with report.doing("r1", "s", "Apply"):
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(5)


def test_a_run_that_may_take_longer_than_its_message_says_is_sent_again(world: World) -> None:
    run = services.apply_change(user=world.bob, change=approved(world))
    sent = limits_of(run).hard
    Cluster.objects.update(guard_seconds=3600)
    run.refresh_from_db()
    Run.objects.update(sent_at=None)
    execution.run_claimed(run.pk, hard=sent)
    run = Run.objects.get(pk=run.pk)
    assert (run.state, run.attempts) == (Run.State.QUEUED, 0)
    assert run.sent_at is not None
    assert not runs.outgrown(run_id=run.pk, hard=limits_of(run).hard)


def test_values_that_the_sites_limits_cannot_keep_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    applied(world)
    monkeypatch.setattr(settings, "VISIBILITY_TIMEOUT", 9000)
    cluster = edit(world, world.alice)
    with pytest.raises(Invalid) as refused:
        clusters.load(user=world.alice, team=world.team, data={"name": cluster.name, "guard_seconds": 3600})
    assert refused.value.problems[0]["field"] == "guard_seconds"
    assert "LBFTP_VISIBILITY_TIMEOUT" in refused.value.problems[0]["remedy"]
    with pytest.raises(Invalid) as refused:
        proposing.reboot(user=world.bob, cluster=world.cluster, patience=3600)
    assert refused.value.problems[0]["field"] == "patience"
    assert proposing.reboot(user=world.bob, cluster=world.cluster, patience=600).pk


def test_guards_are_not_extended_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change stands still for so long at most, whatever people ask."""
    monkeypatch.setattr(by_hand, "STANDSTILL", 3)
    monkeypatch.setattr(by_hand, "MARGIN_SECONDS", 0)
    told: list[Event] = []
    report = Report(told.append, lambda: Orders("", extend=True))
    hold = Hold("lbftp", "1", "run-1-a", 4)
    with pytest.raises(Exception, match="Nobody confirmed"):
        await_person(Standstill(Job(1, "apply", 1), hold, [], 4), report, Limits())
    assert any("not extended any more" in str(e.data.get("text")) for e in told)
