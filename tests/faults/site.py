"""A whole site for faults of the manager's own parts: real worker, Redis and database, watched from a process of its own."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab import api
from ops import processes, stack
from tests.faults.faults import Place
from tests.insider import Insider
from tests.postgres import Postgres

# A killed worker's run shows its true state within this time.
TRUTH_SECONDS: Final = 45
SILENT: Final = ("has not been heard of", "fell silent")
ENDED: Final = ("succeeded", "failed", "errored", "cancelled")


class Desk(Insider):
    """The process in which people act (see desk.py)."""

    def __init__(self, env: dict[str, str]) -> None:
        super().__init__("tests.faults.desk", env)


@dataclass(frozen=True, slots=True)
class Site:
    """With a database in a file, or in `postgres`."""

    stack: stack.Stack
    desk: Desk
    postgres: Postgres | None = None

    def is_done(self, run: int, place: Place) -> bool:
        return bool(self.desk.do("is_done", run=run, router=place[0], step=place[1]))

    def wait_for_step(self, run: int, place: Place, seconds: float = 600) -> None:
        """Returns when the run's step is done. AssertionError if the run ended without."""
        end = time.monotonic() + seconds
        while not self.is_done(run, place):
            state, outcome = self.state(run)
            assert state not in ENDED or self.is_done(run, place), outcome
            assert time.monotonic() < end, f"{place} was not reached"
            time.sleep(0.05)

    def state(self, run: int) -> tuple[str, str]:
        """(state, outcome)."""
        found = self.desk.do("state", run=run)
        return found["state"], found["outcome"]

    def ended(self, run: int, seconds: float = 900) -> tuple[str, str]:
        """(state, outcome)."""
        end = time.monotonic() + seconds
        while (found := self.state(run))[0] not in ENDED:
            assert time.monotonic() < end, f"the run is still {found[0]}"
            time.sleep(0.2)
        return found

    def works(self) -> None:
        """The next apply, from its proposal to its end."""
        done = self.desk.do("again")
        assert done["state"] == "succeeded", done

    def shows_the_truth(self, run: int) -> None:
        """Within its time the run's page says that its worker fell silent, or how the run ended."""
        end = time.monotonic() + TRUTH_SECONDS
        while self.state(run)[0] == "running" and not any(words in self.notes(run) for words in SILENT):
            assert time.monotonic() < end, "nobody said that the worker is gone"
            time.sleep(0.2)

    def notes(self, run: int) -> str:
        """What the run's page tells beside its steps."""
        return str(self.desk.do("notes", run=run))

    def kill_worker(self) -> None:
        """Every process of the worker, as when its machine is gone; supervisor starts another one."""
        for pid in processes.marked(str(self.stack.place.var)):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"celery" in words and b"worker" in words:
                os.kill(pid, signal.SIGKILL)

    def stop_redis(self, seconds: float) -> None:
        self.stack.control("stop", "redis")
        time.sleep(seconds)
        self.stack.control("start", "redis")

    def lock_database(self, seconds: float) -> None:
        """Nobody else can write."""
        file = self.stack.place.var / "lbftp.sqlite3"
        with closing(sqlite3.connect(file, timeout=20, isolation_level=None)) as connection:
            connection.execute("begin exclusive")
            time.sleep(seconds)
            connection.execute("rollback")

    def stop_database(self, seconds: float, *, at_once: bool = False) -> None:
        """Nobody is answered, and every connection there was is gone for good."""
        assert self.postgres is not None
        self.postgres.stop(at_once=at_once)
        time.sleep(seconds)
        self.postgres.start()


@contextmanager
def started(folder: Path, postgres: Postgres | None = None) -> Iterator[Site]:
    """A site in `folder` with the lab's machines enrolled and the guide's cluster."""
    api.ensure_up()
    extra = {"LBFTP_BEAT_TICK_SECONDS": "2", "LBFTP_SSH_CONNECT_TIMEOUT": "20"}
    if postgres is not None:
        extra["LBFTP_DATABASE_URL"] = postgres.url
    with stack.start(folder, options=stack.Options(fresh=True, extra=extra)) as running:
        desk = Desk(running.env)
        desk.do("enrol")
        yield Site(running, desk, postgres)
        desk.stop()
