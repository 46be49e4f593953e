"""A claimed run from claim to end with the real database: what people ask of it while it goes on decides how it ends."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from lbftp.changes import services
from lbftp.changes.models import ChangeRequest, Run
from lbftp.changes.services import runs
from lbftp.core.job import Job
from tests.conftest import Race
from tests.worlds import World, approved
from workers import execution
from workers.outcome import Outcome
from workers.remote import Limits
from workers.report import PAIR, Report

pytestmark = pytest.mark.django_db(transaction=True)

Work = Callable[[Job, Report, Limits], Outcome]


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Callable[[Work], None]:
    """Says what an apply does here: nothing on routers, the rest is as it is."""

    def use(one: Work) -> None:
        monkeypatch.setattr(execution, "KINDS", {"apply": one})

    return use


def steps(report: Report, until: Callable[[], bool]) -> None:
    for n in range(400):
        with report.doing(PAIR, f"s{n}", "One more"):
            time.sleep(0.02)
        if until():
            return
    raise AssertionError("nobody was heard")


def begun(run: Run) -> None:
    while not run.events.exists():
        time.sleep(0.02)


def test_cancelled_between_two_steps(world: World, race: Race, work: Callable[[Work], None]) -> None:
    run = services.apply_change(user=world.bob, change=approved(world))

    def endless(_job: Job, report: Report, _limits: Limits) -> Outcome:
        steps(report, lambda: False)
        raise AssertionError

    def order() -> None:
        begun(run)
        runs.cancel(user=world.carol, run=run)

    work(endless)
    assert race(lambda: execution.run_claimed(run.pk), order) == [None, None]
    run.refresh_from_db()
    assert (run.state, run.outcome) == (Run.State.CANCELLED, "Cancelled by carol.")
    # Every step that began also ended.
    states = [e.data["state"] for e in run.events.filter(kind="step")]
    assert set(states) == {"started", "done"}
    assert states.count("started") == states.count("done")
    assert ChangeRequest.objects.get().state == ChangeRequest.State.APPROVED


def test_an_extension_reaches_the_rollout_once(world: World, race: Race, work: Callable[[Work], None]) -> None:
    run = services.apply_change(user=world.bob, change=approved(world))
    heard: list[int] = []

    def extended(_job: Job, report: Report, _limits: Limits) -> Outcome:
        report.on_extend = lambda: heard.append(1)
        steps(report, lambda: bool(heard))
        report.check()
        return Outcome("succeeded", "Done.")

    def order() -> None:
        begun(run)
        services.extend(user=world.carol, run=run)

    work(extended)
    assert race(lambda: execution.run_claimed(run.pk), order) == [None, None]
    run.refresh_from_db()
    assert (run.state, heard) == (Run.State.SUCCEEDED, [1])
