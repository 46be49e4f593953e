"""Where FTP sessions are made from: probe hosts over SSH, and the worker itself. Each runs the same small program."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lbftp.core import ours
from lbftp.core.job import Probe
from lbftp.core.secrecy import hidden
from workers import ftp_sessions, here, rows
from workers.errors import WorkError
from workers.reading import OnLine
from workers.remote import Answer, Limits, connect

SESSION_TIMEOUT: Final = 15
UPLOAD_BYTES: Final = 256 * 1024
# What one session may take beside its waits.
_SLACK: Final = 20
# What tells one session from the others that were asked for.
_ASKED: Final = ("source", "mode", "tls", "ip", "address", "port")
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

        told: Rows = []
        asked = _asked(clients)

        def heed(line: str) -> None:
            line = hidden(line)
            row = _row(line, self.name)
            if _which(row) not in asked or len(told) == len(asked):
                raise WorkError(f"{self.name}: it tells of a session that nobody asked for ({line[:80]!r}).")
            told.append(row)
            on_row(dict(row))

        longest = max(len(client["kinds"]) for client in clients)
        seconds = longest * (timeout * ftp_sessions.waits(self.probe.upload) + _SLACK) + 30
        answer = self.run(program(_job(self.probe, clients, run_id, timeout)), seconds, heed)
        last = (answer.err.strip().splitlines() or [f"exit code {answer.code}"])[-1][:300]
        if answer.code != 0:
            raise WorkError(f"{self.name}: the probe could not run: {last} (Python 3.7 or later is needed there.)")
        if len(told) != len(asked):
            raise WorkError(f"{self.name}: the probe ended before all its sessions did: {last}")
        return told


def _asked(clients: Sequence[Client]) -> list[tuple[Any, ...]]:
    return [_which({"source": one["source"], **kind}) for one in clients for kind in one["kinds"]]


def _which(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _ASKED)


def _row(line: str, name: str) -> dict[str, Any]:
    """A session's row as lbftp.core.sessions describes it, with its place. Raises WorkError."""
    kind = {"mode": "", "tls": "", "ip": 0, "address": "", "port": 0}
    like = {**ftp_sessions.row("", kind), "seconds": 0.0}
    return {**rows.read(line, like, name), "place": name}


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
    upload = {"folder": probe.upload, "name": ours.probe_upload(run_id), "bytes": UPLOAD_BYTES}
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
