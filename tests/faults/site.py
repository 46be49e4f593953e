"""A whole site for faults of the manager's own parts: real worker, Redis and database, watched from outside."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ops import processes
from ops.stack import Stack
from tests.faults.faults import Place
from tests.insider import Insider

ENDED: Final = ("succeeded", "failed", "errored", "cancelled")
_DONE: Final = """select count(*) from changes_runevent where run_id = ? and kind = 'step' and router = ?
and json_extract(data, '$.id') = ? and json_extract(data, '$.state') = 'done'"""


class Desk(Insider):
    """The process in which people act (see desk.py)."""

    def __init__(self, env: dict[str, str]) -> None:
        super().__init__("tests.faults.desk", env)


@dataclass(frozen=True, slots=True)
class Site:
    stack: Stack
    desk: Desk

    @property
    def database(self) -> Path:
        return self.stack.place.var / "lbftp.sqlite3"

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=20)) as connection:
            return connection.execute(query, values).fetchall()

    def is_done(self, run: int, place: Place) -> bool:
        return bool(self.ask(_DONE, run, *place)[0][0])

    def wait_for_step(self, run: int, place: Place, seconds: float = 600) -> None:
        """Returns when the run's step is done. AssertionError if the run ended without."""
        end = time.monotonic() + seconds
        while not self.is_done(run, place):
            state, outcome = self.state(run)
            assert state not in ENDED or self.is_done(run, place), outcome
            assert time.monotonic() < end, f"{place} was not reached"
            time.sleep(0.05)

    def state(self, run: int) -> tuple[str, str]:
        state, outcome = self.ask("select state, outcome from changes_run where id = ?", run)[0]
        return str(state), str(outcome)

    def ended(self, run: int, seconds: float = 900) -> tuple[str, str]:
        """(state, outcome)."""
        end = time.monotonic() + seconds
        while (found := self.state(run))[0] not in ENDED:
            assert time.monotonic() < end, f"the run is still {found[0]}"
            time.sleep(0.2)
        return found

    def words(self, run: int) -> str:
        rows = self.ask(
            "select json_extract(data, '$.text') from changes_runevent where run_id = ? and kind = 'note'", run
        )
        return "\n".join(str(row[0]) for row in rows)

    def last_event(self, run: int) -> int:
        return int(self.ask("select coalesce(max(seq), 0) from changes_runevent where run_id = ?", run)[0][0])

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
        with closing(sqlite3.connect(self.database, timeout=20, isolation_level=None)) as connection:
            connection.execute("begin exclusive")
            time.sleep(seconds)
            connection.execute("rollback")
