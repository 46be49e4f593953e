"""Restarts what lives and does nothing: a web server that does not answer, a worker or a beat without a sign of life.

Supervisor restarts what dies; a process that hangs or was stopped does not die. Runs as one of supervisor's programs:
`python -m ops.watchdog VAR URL`. It asks no database and no broker, and goes by no clock that can be set: a sign of
life is a file's time that changed (workers/life.py). What it did is in `alive/restarts.json`, for pages and /readyz.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from ops.places import Places, places
from ops.readiness import ask

EVERY: Final = 2.0
# Seconds without an answer of the web server; a worker and a beat, whose signs come every three, get half more.
DEFAULT_SECONDS: Final = 10.0
# A program that was just started has not got anywhere yet.
STARTING: Final = 120.0
# So many restarts within half an hour come at once; each further one waits twice as long as the one before.
AT_ONCE: Final = 3
REMEMBERED: Final = 1800.0
FIRST_WAIT: Final = 60.0
LONGEST_WAIT: Final = 900.0


@dataclass(slots=True)
class Watched:
    """What is known of one program. Times are monotonic."""

    name: str
    limit: float
    pid: int = 0
    sign: int | None = None
    heard: float = 0.0
    restarts: list[float] = field(default_factory=list)

    def hear(self, pid: int, sign: int | None, now: float) -> None:
        """`sign` is whatever changes with each sign of life, None while there is none."""
        if pid != self.pid:
            self.pid, self.sign, self.heard = pid, None, now
        if sign is not None and sign != self.sign:
            self.sign, self.heard = sign, now

    def silence(self, now: float) -> float | None:
        """For how many seconds it was not heard of, if that is too long."""
        silent = now - self.heard
        return silent if silent > (self.limit if self.sign is not None else STARTING) else None

    def wait(self, now: float) -> float:
        """Seconds until it may be restarted; 0 if it may."""
        self.restarts = [at for at in self.restarts if now - at < REMEMBERED]
        many = len(self.restarts) - AT_ONCE
        if many < 0:
            return 0.0
        pause: float = min(FIRST_WAIT * 2**many, LONGEST_WAIT)
        return max(0.0, self.restarts[-1] + pause - now)


class Book:
    """What was done, in a file that is there as a whole or not at all."""

    KEPT: Final = 50

    def __init__(self, path: Path) -> None:
        self._path = path
        self._restarts: list[dict[str, Any]] = self._before()
        self._held: dict[str, float] = {}

    def restarted(self, name: str, reason: str) -> None:
        self._restarts = [*self._restarts, {"program": name, "at": time.time(), "reason": reason}][-self.KEPT :]
        self._held.pop(name, None)
        self._write()

    def held(self, name: str, seconds: float) -> None:
        if name not in self._held:
            self._held[name] = time.time() + seconds
            self._write()

    def well(self, name: str) -> None:
        if self._held.pop(name, None):
            self._write()

    def _before(self) -> list[dict[str, Any]]:
        try:
            return list(json.loads(self._path.read_text())["restarts"])
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def _write(self) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps({"restarts": self._restarts, "held": self._held}))
        new.replace(self._path)


class Watchdog:
    """Looks at the programs of one site and ends those that hang; supervisor starts them again."""

    def __init__(self, place: Places, base_url: str, seconds: float) -> None:
        self._place, self._base_url, self._seconds = place, base_url, seconds
        transport = SupervisorTransport(None, None, f"unix://{place.control_socket}")
        self._supervisor: Any = ServerProxy("http://127.0.0.1", transport=transport)
        signs = seconds * 1.5
        self._programs = [Watched("web", seconds), Watched("worker", signs), Watched("beat", signs)]
        self._book = Book(place.alive / "restarts.json")
        self._answers = 0

    def look(self) -> None:
        """Once at each program."""
        (self._place.alive / "watchdog").touch(mode=0o600)
        for program in self._programs:
            pid = self._pid(program.name)
            if not pid:
                continue
            sign = self._answer() if program.name == "web" else self._touched(pid)
            now = time.monotonic()
            program.hear(pid, sign, now)
            self._judge(program, now)

    def _judge(self, program: Watched, now: float) -> None:
        silent = program.silence(now)
        if silent is None:
            self._book.well(program.name)
        elif wait := program.wait(now):
            self._book.held(program.name, wait)
        else:
            self._restart(program, silent, now)

    def _restart(self, program: Watched, silent: float, now: float) -> None:
        what = "answered no request" if program.name == "web" else "gave no sign of life"
        reason = f"it {what} for {silent:.0f} s"
        _say(f"{program.name} (process {program.pid}) is ended: {reason}")
        _end_group(program.pid)
        program.restarts.append(now)
        self._book.restarted(program.name, reason)
        _forget_dead(self._place.alive)

    def _pid(self, name: str) -> int:
        """0 while it does not run: then supervisor is at it."""
        try:
            info = self._supervisor.supervisor.getProcessInfo(name)
        except (OSError, Fault) as error:
            _say(f"supervisor does not tell about {name}: {error}")
            return 0
        return int(info["pid"]) if info["statename"] == "RUNNING" else 0

    def _answer(self) -> int | None:
        """Another number with each answer. One that is refused at once is none; the limit is the asking's as well."""
        status, _ = ask(f"{self._base_url}/healthz", self._seconds)
        if status:
            self._answers += 1
        return self._answers or None

    def _touched(self, pid: int) -> int | None:
        try:
            return (self._place.alive / str(pid)).stat().st_mtime_ns
        except OSError:
            return None


def _end_group(pid: int) -> None:
    """SIGKILL ends a stopped process too. With it its children: a worker's hold its tasks."""
    try:
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _forget_dead(folder: Path) -> None:
    """Files of processes that are no more."""
    for path in _numbered(folder.iterdir()):
        if not Path("/proc", path.name).exists():
            path.unlink(missing_ok=True)


def _numbered(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.name.isdigit()]


def _say(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC {text}", flush=True)


def main(var: str, base_url: str) -> None:
    seconds = float(os.environ.get("LBFTP_WATCHDOG_SECONDS") or DEFAULT_SECONDS)
    watchdog = Watchdog(places(Path(var)), base_url, max(seconds, 5.0))
    _forget_dead(places(Path(var)).alive)
    while True:
        watchdog.look()
        time.sleep(EVERY)


if __name__ == "__main__":
    main(*sys.argv[1:])
