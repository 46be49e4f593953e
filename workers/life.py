"""Signs of life of a worker and of the beat: a file that the watchdog looks at, and a row that everybody reads.

Both depend on the main loop, which is what matters: it says so every few seconds, however many tasks are going on. The
row is written by a thread, because the database may keep it waiting; the file never waits for anything.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from typing import Any, Final

from celery import bootsteps
from celery.beat import PersistentScheduler
from django.db import DatabaseError, connection

from lbftp.health import services as health
from lbftp.systemd import notify

log = logging.getLogger(__name__)

EVERY: Final = 3
# A main loop that was silent for so long has no life to tell of.
_SILENT: Final = 10.0
# The row waits no longer for the database: the next one is due, and a fork waits for it (below).
_ROW_PATIENCE: Final = 2.0


class Life:
    """What one process tells of itself under `name`. `show` is for its main loop."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown = 0.0
        self._writing = threading.Lock()
        # While the broker is away the main loop waits inside the connection and cannot say anything, yet nothing hangs.
        self.waiting = False

    def begin(self) -> None:
        # A child that was forked in the middle of a write would inherit the locks of SQLite's library for good.
        os.register_at_fork(
            before=self._writing.acquire,
            after_in_parent=self._writing.release,
            after_in_child=self._writing.release,
        )
        self.show()
        for work in (self._write_rows, self._show_while_waiting):
            threading.Thread(target=work, daemon=True, name=f"life-{self._name}").start()

    def show(self) -> None:
        self._shown = time.monotonic()
        try:
            health.show_life()
            notify("READY=1", "WATCHDOG=1")
        except OSError as error:
            log.warning("no sign of life could be left: %s", error)

    def _show_while_waiting(self) -> None:
        while True:
            if self.waiting:
                self.show()
            time.sleep(EVERY)

    def _write_rows(self) -> None:
        while True:
            if time.monotonic() - self._shown < _SILENT:
                self._write()
            time.sleep(EVERY)

    def _write(self) -> None:
        with self._writing:
            try:
                _hurry()
                health.record_sign(name=self._name)
            except DatabaseError as error:
                log.warning("no sign of life could be written: %s", type(error).__name__)
            finally:
                connection.close()


def _hurry() -> None:
    milliseconds = int(_ROW_PATIENCE * 1000)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"PRAGMA busy_timeout={milliseconds}")
        elif connection.vendor == "postgresql":
            cursor.execute(f"SET statement_timeout={milliseconds}")


class MainLoop(bootsteps.StartStopStep):
    """Part of a worker's main loop while it is connected to the broker."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    life: Life | None = None

    def start(self, c: Any) -> None:
        cls = type(self)
        if cls.life is None:
            cls.life = Life(f"worker {socket.gethostname()}")
            cls.life.begin()
        cls.life.waiting = False
        self._timer = c.timer.call_repeatedly(EVERY, cls.life.show)

    def stop(self, c: Any) -> None:  # noqa: ARG002 - Celery's signature
        if self.life is not None:
            self.life.waiting = True
            self._timer.cancel()


class Schedule(PersistentScheduler):
    """Celery's, of which each turn and each attempt to reach the broker is a sign of life."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._life = Life("beat")
        super().__init__(*args, **kwargs)
        self._life.begin()

    def tick(self, *args: Any, **kwargs: Any) -> float:
        self._life.show()
        return float(super().tick(*args, **kwargs))

    def _ensure_connected(self) -> Any:
        """Celery's waits up to half a minute between two attempts, without a word."""

        def say(error: Exception, interval: float) -> None:
            log.warning("the broker does not answer (%s); again in %s s", type(error).__name__, interval)
            self._life.show()

        return self.connection.ensure_connection(say, interval_start=1, interval_step=1, interval_max=EVERY)
