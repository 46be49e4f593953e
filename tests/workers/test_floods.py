"""A machine that prints without an end, whose words no database takes, or that repeats our secrets: the run goes on or
ends with its reason, other writers are let through, and the heart beats. Real database, real SSH server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from lbftp.changes import services
from lbftp.changes.models import Run, RunEvent, Transition
from lbftp.compliance.models import FindingRow
from lbftp.core.findings import Finding
from lbftp.core.job import Access, Event, Job
from lbftp.core.program.shell import program
from ops.bench.sshd import private_sshd
from tests.worlds import CANARY_FTP, CANARY_KEY, CANARY_SUDO, World, applied, approved
from workers import budget, execution, relay
from workers.outcome import Outcome
from workers.remote import Limits, connect
from workers.report import PAIR, Report
from workers.stepping import run_steps

pytestmark = pytest.mark.django_db(transaction=True)

Work = Callable[[Job, Report, Limits], Outcome]
LINES = 500_000
ODD = "NUL \x00, lone \ud800 and \udcff, ESC \x1b[2J, C1 \x9b, turned \u202e round, \r over"


def doing(monkeypatch: pytest.MonkeyPatch, kind: str, work: Work) -> None:
    monkeypatch.setattr(execution, "KINDS", {kind: work})


@contextmanager
def beside(act: Callable[[], None]) -> Iterator[list[float]]:
    """Another writer meanwhile: the seconds that each of its writes took."""
    took: list[float] = []
    over = threading.Event()

    def write() -> None:
        while not over.wait(0.05):
            began = time.monotonic()
            act()
            took.append(time.monotonic() - began)
        connections.close_all()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield took
    finally:
        over.set()
        thread.join(60)


@pytest.mark.timeout(300)
def test_half_a_million_lines_hold_nobody_up(world: World, monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    monkeypatch.setattr(relay, "BEAT_SECONDS", 1.0)
    run = services.apply_change(user=world.bob, change=approved(world))
    ages: list[float] = []

    def flood(_job: Job, report: Report, _limits: Limits) -> Outcome:
        with report.doing("r1", "flood", "It prints"):
            for number in range(LINES):
                report.output("r1", "flood", f"line {number}")
                if number % 1000 == 0:
                    # As whoever reads from a connection does.
                    time.sleep(0.001)
        return Outcome("succeeded", "Done.")

    def write() -> None:
        Transition.objects.create(team=world.team, subject="run", subject_id=run.pk, old="", new="", reason="beside")
        beat = Run.objects.get(pk=run.pk).heartbeat_at
        if beat is not None:
            ages.append((timezone.now() - beat).total_seconds())

    doing(monkeypatch, "apply", flood)
    with beside(write) as took:
        execution.run_claimed(run.pk)
    run.refresh_from_db()
    assert (run.state, run.outcome) == (Run.State.SUCCEEDED, "Done.")
    texts = [e.data["text"] for e in run.events.filter(kind="output")]
    assert texts[0] == "line 0"
    assert texts[-1] == f"line {LINES - 1}"
    assert f"… {LINES - budget.HEAD - budget.TAIL} lines left out" in texts
    assert len(texts) == budget.HEAD + budget.TAIL + 2
    assert took
    # It was a minute; the writer shares this process's lock with the flood, so that a second is not to be promised here.
    assert max(took) < 5
    assert max(ages) < 15
    client.force_login(world.bob)
    began = time.monotonic()
    assert client.get(f"/runs/{run.pk}/").status_code == 200
    # 28 s with all of them; that it answers at once is for a machine that does nothing else.
    assert time.monotonic() - began < 10


@pytest.mark.timeout(300)
def test_a_run_has_a_largest_number_of_events_however_they_are_called(
    world: World, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    run = services.apply_change(user=world.bob, change=approved(world))

    def flood(_job: Job, report: Report, _limits: Limits) -> Outcome:
        for number in range(3 * budget.MOST_EVENTS):
            report.step("r1", (f"s{number}", "x"), "done")
        for _ in range(1000):
            report.output("r2", "long", "x" * 100_000)
        report.note("info", "still heard")
        return Outcome("succeeded", "Done.")

    doing(monkeypatch, "apply", flood)
    execution.run_claimed(run.pk)
    run.refresh_from_db()
    assert run.state == Run.State.SUCCEEDED
    assert run.events.count() <= budget.MOST_EVENTS + 10
    notes = [e.data["text"] for e in run.events.filter(kind="note")]
    assert notes[-1] == "still heard"
    assert any("more than a run keeps" in text for text in notes)
    client.force_login(world.bob)
    assert client.get(f"/runs/{run.pk}/").status_code == 200


def clean(*values: Any) -> None:
    """Nothing in it that a terminal obeys or a database refuses."""
    for value in values:
        if isinstance(value, dict):
            clean(*value.keys(), *value.values())
        elif isinstance(value, list | tuple):
            clean(*value)
        elif isinstance(value, str):
            assert not set(value) & set("\x00\x1b\x9b\u202e\r\ud800\udcff")


@pytest.mark.parametrize("state", ["succeeded", "failed"])
def test_a_run_ends_whatever_bytes_it_saw(world: World, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    applied(world)
    run = services.comply(user=world.bob, cluster=world.cluster, reapply=False)

    def odd(_job: Job, report: Report, _limits: Limits) -> Outcome:
        found = Finding("service-missing", "error", f"r1{ODD}"[:40], ODD, ODD, ODD, ODD, False)
        report.output("r1", "x", ODD)
        report.note("warning", ODD)
        report.session({"ok": False, "mode": "PASV", ODD: float("nan"), "bytes": 10**30, "deep": _deep(200)})
        report.finding(found)
        result = {"findings": [found.to_json()], "sessions": [{"times": {"x": float("inf")}}], "master": ODD}
        return Outcome(state, ODD, result)  # type: ignore[arg-type]

    doing(monkeypatch, "comply", odd)
    execution.run_claimed(run.pk)
    run.refresh_from_db()
    assert run.state == state
    assert run.outcome.startswith("NUL ␀, lone � and �, ESC ␛[2J")
    clean(run.outcome, run.result, [e.data for e in run.events.all()])
    clean([row.reason for row in Transition.objects.all()])
    rows = list(FindingRow.objects.filter(run=run).values())
    assert len(rows) == 1
    clean(rows)


def _deep(levels: int) -> Any:
    return [_deep(levels - 1)] if levels else 0


def test_a_run_ends_even_where_what_it_found_cannot_be_stored(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    applied(world)
    run = services.comply(user=world.bob, cluster=world.cluster, reapply=False)

    def odd(_job: Job, _report: Report, _limits: Limits) -> Outcome:
        return Outcome("succeeded", "Two findings.", {"findings": ["no finding", 7]})

    doing(monkeypatch, "comply", odd)
    execution.run_claimed(run.pk)
    run.refresh_from_db()
    assert run.state == Run.State.SUCCEEDED
    assert run.outcome.startswith("Two findings. What it found could not be stored (")


def test_what_an_ssh_server_repeats_of_our_secrets_is_no_part_of_a_run(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A login shell that prints its input, the sudo password among it, before it does what it is told."""
    run = services.apply_change(user=world.bob, change=approved(world))
    token = "a" * 16
    saying = f"printf '%s\\n' '530 PASS {CANARY_FTP} is wrong' {CANARY_SUDO}x{CANARY_SUDO} >&2; exit 9"
    text = program({"one": f"echo {CANARY_KEY}; echo done", "two": saying}, token)

    def echoing(job: Job, report: Report, limits: Limits) -> Outcome:
        with private_sshd(
            tmp_path / "d", {"ForceCommand": f'echo {CANARY_SUDO}; eval "$SSH_ORIGINAL_COMMAND"'}
        ) as target:
            key = Path(target.key).read_text()
            access = Access("r1", "127.0.0.1", target.port, target.user, target.host_key, key=key)
            with connect(access, limits) as remote:
                run_steps(report, remote, text, token, {"one": "One", "two": "Two"})
        raise AssertionError("the second step fails")

    doing(monkeypatch, "apply", echoing)
    execution.run_claimed(run.pk)
    run.refresh_from_db()
    assert run.state == Run.State.FAILED
    told = repr([run.outcome, run.result, [e.data for e in run.events.all()], list(Transition.objects.values())])
    for canary in (CANARY_KEY, CANARY_SUDO, CANARY_FTP):
        assert canary not in told + caplog.text
    assert "530 PASS [secret] is wrong" in told
    assert "[secret]x[secret]" in run.outcome
    assert RunEvent.objects.filter(run=run, kind="output", data__text="done").exists()


def test_a_budget_keeps_the_order_and_both_ends_of_an_output_whose_step_never_ends() -> None:
    told: list[Event] = []
    one = budget.Budget(told.append)
    for number in range(budget.HEAD + 3 * budget.TAIL):
        one.take(Event("output", PAIR, {"step": "", "text": str(number)}))
    one.close()
    texts = [event.data["text"] for event in told]
    assert texts[: budget.HEAD] == [str(n) for n in range(budget.HEAD)]
    assert texts[-budget.TAIL :] == [
        str(n) for n in range(budget.HEAD + 2 * budget.TAIL, budget.HEAD + 3 * budget.TAIL)
    ]
    assert texts[budget.HEAD + 1] == f"… {2 * budget.TAIL} lines left out"
