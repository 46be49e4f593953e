"""Hosts whose clocks are off: one database, and it alone tells what time it is.

Each host is a process of its own on a real PostgreSQL; a clock that is off is off for all of the process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ops.places import ROOT
from tests.insider import Insider
from tests.postgres import Postgres

pytestmark = pytest.mark.timeout(300)

AHEAD, BEHIND = "60", "-3600"


class Desk(Insider):
    """A host's process (see desk.py)."""

    def __init__(self, env: dict[str, str]) -> None:
        super().__init__("tests.clocks.desk", env)


@dataclass(frozen=True, slots=True)
class Hosts:
    """`right` has the database's clock, `ahead` is 60 s ahead of it, `behind` an hour behind."""

    env: dict[str, str]
    right: Desk
    ahead: Desk
    behind: Desk

    def of(self, name: str) -> Desk:
        return {"right": self.right, "ahead": self.ahead, "behind": self.behind}[name]

    def run(self, on: str = "right") -> tuple[int, int]:
        """A run that a worker of host `on` has claimed: its id, and the claim's number."""
        run = self.right.do("start")
        return run, self.of(on).do("claim", run=run)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory, redis_socket: Path) -> Iterator[Hosts]:
    postgres = Postgres(tmp_path_factory.mktemp("database") / "postgres")
    env = os.environ | {"LBFTP_DATABASE_URL": postgres.url, "LBFTP_REDIS_SOCKET": str(redis_socket)}
    desks = [Desk(env | {"LBFTP_TEST_CLOCK": off}) for off in ("0", AHEAD, BEHIND)]
    try:
        found = Hosts(env, *desks)
        found.right.do("migrate")
        found.right.do("build")
        yield found
    finally:
        for desk in desks:
            desk.stop()
        postgres.stop()


@pytest.mark.parametrize("worker", ["right", "ahead", "behind"])
@pytest.mark.parametrize("other", ["right", "ahead", "behind"])
def test_a_living_run_stays_its_workers(hosts: Hosts, worker: str, other: str) -> None:
    run, fence = hosts.run(on=worker)
    assert fence == 1
    assert hosts.of(worker).do("beat", run=run, fence=fence)
    assert hosts.of(other).do("claim", run=run) == 0
    hosts.of(other).do("tick")
    seen = hosts.of(other).do("seen", run=run)
    assert (seen["fence"], seen["silent"], seen["notes"]) == (1, False, [])
    assert hosts.of(worker).do("beat", run=run, fence=fence)


@pytest.mark.parametrize("other", ["right", "ahead", "behind"])
def test_a_dead_workers_run_is_taken_over(hosts: Hosts, other: str) -> None:
    run, _ = hosts.run()
    hosts.right.do("ages", heartbeat=46, sent=46)
    hosts.of(other).do("tick")
    seen = hosts.of(other).do("seen", run=run)
    assert seen["silent"]
    assert "has not been heard of" in seen["notes"][0]
    assert hosts.right.do("seen", run=run)["sent"] < 10
    assert hosts.of(other).do("claim", run=run) == 2


@pytest.mark.parametrize("other", ["ahead", "behind"])
def test_what_nobody_took_up_is_sent_again(hosts: Hosts, other: str) -> None:
    run = hosts.of(other).do("start")
    assert abs(hosts.right.do("seen", run=run)["created"]) < 10
    hosts.of(other).do("tick")
    assert abs(hosts.right.do("seen", run=run)["sent"]) < 10, "it was sent when it was made, and that is not long ago"
    hosts.right.do("ages", sent=20)
    hosts.of(other).do("tick")
    assert abs(hosts.right.do("seen", run=run)["sent"]) < 10


@pytest.mark.parametrize("other", ["ahead", "behind"])
def test_routers_are_one_runs_while_its_worker_lives(hosts: Hosts, other: str) -> None:
    hosts.right.do("ages", lease=1)
    first, mine = hosts.run()
    assert hosts.right.do("take", run=first, fence=mine)
    second, theirs = hosts.run(on=other)
    assert not hosts.of(other).do("take", run=second, fence=theirs)
    hosts.right.do("ages", lease=1)
    assert hosts.of(other).do("take", run=second, fence=theirs)
    # The other way round: who took them by a clock that is off keeps them as long as anybody else.
    assert not hosts.right.do("take", run=first, fence=mine)


def test_a_schedule_is_kept_by_the_databases_clock(hosts: Hosts) -> None:
    hosts.right.do("ages", check=-20)
    for desk in (hosts.right, hosts.ahead, hosts.behind):
        desk.do("tick")
    assert hosts.right.do("checks") == 0, "it is due in 20 s"
    hosts.right.do("ages", check=1)
    hosts.behind.do("tick")
    hosts.ahead.do("tick")
    assert hosts.right.do("checks") == 1


def test_drains_and_numbers_are_asked_for_when_they_are_due(hosts: Hosts) -> None:
    hosts.right.do("looks")
    hosts.right.do("ages", drain=1, look=-20)
    assert (hosts.ahead.do("drains"), hosts.ahead.do("looks")) == (0, 0)
    hosts.right.do("ages", drain=30, look=1)
    assert (hosts.behind.do("drains"), hosts.behind.do("looks")) == (1, 2)
    assert (hosts.right.do("drains"), hosts.ahead.do("looks")) == (0, 0)


@pytest.mark.parametrize("worker", ["ahead", "behind"])
def test_a_guards_count_down_is_the_databases(hosts: Hosts, worker: str) -> None:
    run, fence = hosts.run(on=worker)
    hosts.of(worker).do("arm", run=run, fence=fence)
    [left] = hosts.right.do("seen", run=run)["guards"]
    assert 100 < left <= 120


@pytest.mark.parametrize("off", [AHEAD, BEHIND])
def test_a_worker_whose_clock_is_off_takes_ticks(hosts: Hosts, off: str) -> None:
    """Messages say until when they are worth something, by the clock of who sent them."""
    hosts.right.do("forget_ticks")
    argv, env = [sys.executable, "-m", "tests.clocks.worker"], hosts.env | {"LBFTP_TEST_CLOCK": off}
    worker = subprocess.Popen(argv, cwd=ROOT, env=env)
    try:
        hosts.right.do("send_tick")
        end = time.monotonic() + 60
        while (ticked := hosts.right.do("ticked")) is None:
            assert time.monotonic() < end, "the worker took no tick"
            time.sleep(0.5)
        assert abs(ticked) < 60
    finally:
        worker.terminate()
        worker.wait(60)
