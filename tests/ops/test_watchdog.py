"""What lives and does nothing is restarted, on a whole site, really started; and the rules of when."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops import stack as stacks
from ops.readiness import ask
from ops.stack import Options, Stack
from ops.watchdog import AT_ONCE, LONGEST_WAIT, REMEMBERED, STARTING, Book, Watched
from tests.insider import Insider
from tests.ops.connections import Door, everything

pytestmark = pytest.mark.timeout(400)
# The figure is 30 s on a machine that has nothing else to do; tests of others run beside.
BACK = 90


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    options = Options(workers=2, extra={"LBFTP_BEAT_TICK_SECONDS": "1"})
    with stacks.start(tmp_path_factory.mktemp("site"), None, options) as running:
        yield running


def until(condition: Callable[[], object], seconds: float = BACK) -> float:
    """How many seconds it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "not in time"
        time.sleep(0.2)
    return time.monotonic() - begun


def pid_of(stack: Stack, program: str) -> int:
    said = stack.control("pid", program).strip()
    return int(said) if said.isdigit() else 0


def ready(stack: Stack) -> bool:
    return ask(f"{stack.base_url}/readyz", 15)[0] == 200


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("program", ["web", "worker", "beat"])
def test_a_stopped_program_is_back_soon(stack: Stack, program: str) -> None:
    until(lambda: ready(stack))
    before = pid_of(stack, program)
    below = children(before)
    os.kill(before, signal.SIGSTOP)
    took = until(lambda: pid_of(stack, program) not in (0, before))
    took += until(lambda: ready(stack))
    print(f"{program}: back after {took:.0f} s")
    # Its tasks' processes do not outlive it.
    assert [pid for pid in below if Path(f"/proc/{pid}").exists()] == []
    parts = json.loads(ask(f"{stack.base_url}/readyz", 15)[1])["parts"]
    assert f"{program} at " in parts["watchdog"]["message"]


def test_people_are_told_and_strangers_are_not(stack: Stack) -> None:
    actor = Insider("tests.ops.actor", stack.env)
    try:
        session = actor.do("sign_in", name="victor")["session"]
    finally:
        actor.stop()
    os.kill(pid_of(stack, "beat"), signal.SIGSTOP)
    port = int(stack.base_url.rsplit(":", 1)[1])
    told = b"The beat process was restarted"
    until(lambda: told in page(Door(port, session), "/"))
    assert told not in page(Door(port), "/sign-in/")
    assert "beat" in (stack.place.log / "watchdog.log").read_text()


def page(door: Door, path: str) -> bytes:
    with door.connect() as connection:
        connection.sendall(door.request(path, "Connection: close"))
        return everything(connection)


def test_a_beat_whose_ticks_nobody_takes_up_is_left_alone(tmp_path: Path) -> None:
    options = Options(workers=1, extra={"LBFTP_BEAT_TICK_SECONDS": "1", "LBFTP_WATCHDOG_SECONDS": "5"})
    with stacks.start(tmp_path / "var", None, options) as site:
        beat, worker = pid_of(site, "beat"), pid_of(site, "worker")
        # All slots are busy as it were: the main process lives, and the one that would do the tick does not.
        for pid in children(worker):
            os.kill(pid, signal.SIGSTOP)
        until(lambda: not ready(site))
        time.sleep(20)
        assert (pid_of(site, "beat"), pid_of(site, "worker")) == (beat, worker)
        said = json.loads(ask(f"{site.base_url}/readyz", 15)[1])["parts"]
        assert said["workers"]["ok"]
        assert "though the beat is alive" in said["beat"]["message"]


def test_no_broker_is_no_reason_to_restart_anything(tmp_path: Path) -> None:
    options = Options(workers=1, extra={"LBFTP_BEAT_TICK_SECONDS": "1", "LBFTP_WATCHDOG_SECONDS": "5"})
    with stacks.start(tmp_path / "var", None, options) as site:
        kept = {name: pid_of(site, name) for name in ("web", "worker", "beat")}
        site.control("stop", "redis")
        time.sleep(25)
        assert {name: pid_of(site, name) for name in kept} == kept
        site.control("start", "redis")
        until(lambda: ready(site))


def test_signs_are_counted_from_when_they_change() -> None:
    one = Watched("worker", 15)
    one.hear(100, 1, now=0)
    one.hear(100, 1, now=15)
    assert one.silence(15) is None
    assert one.silence(16) == 16
    one.hear(100, 2, now=16)
    assert one.silence(30) is None


def test_a_program_that_was_just_started_has_time() -> None:
    one = Watched("worker", 15)
    one.hear(100, 1, now=0)
    one.hear(200, None, now=50)
    assert one.silence(50 + STARTING) is None
    assert one.silence(51 + STARTING) is not None


def test_restarts_come_ever_more_rarely_and_all_is_well_after_a_while() -> None:
    one = Watched("worker", 15)
    now, pauses = 0.0, []
    for _ in range(9):
        pauses.append(one.wait(now))
        now += one.wait(now)
        assert one.wait(now) == 0
        one.restarts.append(now)
    assert pauses[:AT_ONCE] == [0] * AT_ONCE
    assert pauses[AT_ONCE : AT_ONCE + 3] == [60, 120, 240]
    assert max(pauses) <= LONGEST_WAIT
    assert one.wait(now + REMEMBERED) == 0


def test_the_book_tells_of_the_last_ones_and_of_who_is_held(tmp_path: Path) -> None:
    book = Book(tmp_path / "restarts.json")
    for number in range(60):
        book.restarted("web", f"reason {number}")
    book.held("web", 60)
    kept = json.loads((tmp_path / "restarts.json").read_text())
    assert len(kept["restarts"]) == 50
    assert list(kept["held"]) == ["web"]
    Book(tmp_path / "restarts.json").restarted("web", "the last")
    kept = json.loads((tmp_path / "restarts.json").read_text())
    assert (len(kept["restarts"]), kept["held"]) == (50, {})
