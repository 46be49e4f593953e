"""Where FTP sessions are made from: probe hosts over SSH, and the worker itself. Each runs the same small program."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lbftp.core.job import Probe
from workers import here
from workers.errors import WorkError
from workers.remote import Answer, Limits, OnLine, connect

SESSION_TIMEOUT: Final = 15
UPLOAD_BYTES: Final = 256 * 1024
# One session waits for at most this many answers and connections in a row before it ends by itself.
_WAITS: Final = 4
_SOURCE: Final = Path(__file__).with_name("ftp_sessions.py")

Rows = list[dict[str, Any]]
Runner = Callable[[str, int, OnLine], Answer]
Client = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """One open place. `run` takes the program, seconds, and what gets each line."""

    probe: Probe
    run: Runner

    @property
    def name(self) -> str:
        return self.probe.name

    def sessions(
        self, clients: Sequence[Client], run_id: int, timeout: int, on_row: Callable[[dict[str, Any]], None]
    ) -> Rows:
        """The rows of all clients' sessions, each also told as it ends. Raises WorkError."""

        def heed(line: str) -> None:
            on_row({**json.loads(line), "place": self.name})

        longest = max(len(client["kinds"]) for client in clients)
        waits = _WAITS * (2 if self.probe.upload else 1)
        answer = self.run(program(_job(self.probe, clients, run_id, timeout)), longest * timeout * waits + 30, heed)
        last = (answer.err.strip().splitlines() or [f"exit code {answer.code}"])[-1]
        if answer.code != 0:
            raise WorkError(f"{self.name}: the probe could not run: {last} (Python 3.7 or later is needed there.)")
        rows = [{**json.loads(line), "place": self.name} for line in answer.out.decode().splitlines()]
        if len(rows) != sum(len(client["kinds"]) for client in clients):
            raise WorkError(f"{self.name}: the probe ended before all its sessions did: {last}")
        return rows


@dataclass(frozen=True, slots=True)
class Closed:
    """A place from which no session could be made."""

    name: str
    reason: str


@contextmanager
def opened(probes: Sequence[Probe], limits: Limits) -> Iterator[tuple[list[Place], list[Closed]]]:
    """All places, opened side by side, and those that cannot be: one hides no other."""
    with ExitStack() as stack:
        with ThreadPoolExecutor(max(1, len(probes))) as pool:
            managers = [_opening(probe, limits) for probe in probes]
            futures = [pool.submit(manager.__enter__) for manager in managers]
        places, closed = [], []
        for probe, manager, future in zip(probes, managers, futures, strict=True):
            error = future.exception()
            if error is None:
                stack.push(manager)
                places.append(Place(probe, future.result()))
            elif isinstance(error, WorkError):
                closed.append(Closed(probe.name, str(error)))
            else:
                raise error
        yield places, closed


def _opening(probe: Probe, limits: Limits) -> AbstractContextManager[Runner]:
    if probe.access is None:
        return nullcontext(lambda text, seconds, on_line: here.run(text, seconds=seconds, on_line=on_line))
    return _over_ssh(probe, limits)


@contextmanager
def _over_ssh(probe: Probe, limits: Limits) -> Iterator[Runner]:
    assert probe.access is not None  # noqa: S101 - see _opening
    with connect(probe.access, limits) as remote:
        yield lambda text, seconds, on_line: remote.run(text, seconds=seconds, interpreter="python3", on_line=on_line)


def _job(probe: Probe, clients: Sequence[Client], run_id: int, timeout: int) -> dict[str, Any]:
    # No dot in front: Pure-FTPd can be told to refuse such names (ProhibitDotFilesWrite).
    upload = {"folder": probe.upload, "name": f"lbftp-probe-{run_id}", "bytes": UPLOAD_BYTES}
    return {
        "username": probe.username,
        "password": probe.password,
        "path": probe.path,
        "upload": upload if probe.upload else None,
        "clients": list(clients),
        "timeout": timeout,
    }


def program(job: Mapping[str, Any]) -> str:
    """The Python program that makes the job's sessions."""
    # repr of the JSON text is a Python literal whatever is in it, so nothing of the job can become code.
    return f"{_SOURCE.read_text()}\nmain(json.loads({json.dumps(job)!r}))\n"
