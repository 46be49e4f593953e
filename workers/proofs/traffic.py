"""FTP sessions from the probe host that go on beside something else, and what became of them."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lbftp.core import durations, ours
from lbftp.core.job import Access, Probe
from lbftp.core.secrecy import hidden
from lbftp.core.spec import ClusterSpec
from workers import rows
from workers.errors import ProofFailed, WorkError
from workers.remote import Limits, Remote, connect

HELD: Final = 4
# The program begins two short sessions a second.
_MOST_ROWS: Final = 20 * durations.traffic(1000)
_SOURCE: Final = Path(__file__).with_name("going_on.py")
_SHORT: Final = {"kind": "", "ok": False, "seconds": 0.0, "message": ""}
_STAYS: Final = {"kind": "", "name": "", "state": "", "message": "", "bytes": 0}

Row = dict[str, Any]


@dataclass(slots=True)
class Traffic:
    """Rows as they came, each with the time at which it came here (time.monotonic)."""

    name: str = "the probe host"
    rows: list[tuple[float, Row]] = field(default_factory=list)
    error: str = ""

    def line(self, text: str) -> None:
        """One line of the program's. Raises WorkError for what it would not say, and where there are too many."""
        if len(self.rows) >= _MOST_ROWS:
            raise WorkError(f"{self.name}: it tells of more than {_MOST_ROWS} sessions.")
        text = hidden(text)
        short = rows.read(text, {"kind": ""}, self.name)["kind"] == "short"
        self.rows.append((time.monotonic(), rows.read(text, _SHORT if short else _STAYS, self.name)))

    def shorts(self, since: float = 0.0, until: float = float("inf")) -> list[tuple[float, Row]]:
        """Short sessions that began in that time."""
        found = [(at, row) for at, row in list(self.rows) if row["kind"] == "short"]
        return [(at, row) for at, row in found if since <= at - row["seconds"] < until]

    def worst_wait(self, since: float) -> float:
        """The longest time, from the beginning of a session since then, until that one or a later one had worked: how
        long somebody waited who came at the worst moment and tried again."""
        seen = [(at - row["seconds"], at, row["ok"]) for at, row in self.shorts(since)]
        ends = [[end for begun, end, ok in seen if ok and begun >= mine] for mine, _, _ in seen]
        waits = [min(later) - mine for (mine, _, _), later in zip(seen, ends, strict=True) if later]
        return round(max(waits, default=0.0), 1)

    def lost(self, since: float, until: float = float("inf")) -> list[Row]:
        """Sessions that stayed, and died in that time; transfers among them."""
        return [row for at, row in list(self.rows) if row.get("state") == "lost" and since <= at < until]

    def staying(self) -> set[str]:
        """Names of the sessions that stay and are still there."""
        names = {row["name"] for _, row in list(self.rows) if row.get("state") == "up"}
        return names - {row["name"] for _, row in list(self.rows) if row.get("state") == "lost"}


def job(spec: ClusterSpec, probe: Probe, stop: str) -> Row:
    """What the probe host's program is told; plain FTP over the cluster's first IP version."""
    side = spec.sides[0]
    return {
        "username": probe.username,
        "password": probe.password,
        "path": probe.path,
        "address": str(side.vip),
        "port": spec.control_port,
        "sources": [s for s in probe.sources if (":" in s) == (side.family == 6)],
        "held": HELD,
        "seconds": durations.traffic(spec.vrrp.preempt_delay),
        "stop": stop,
    }


def program(told: Row) -> str:
    # repr of the JSON text is a Python literal whatever is in it, so nothing of the job can become code.
    return f"{_SOURCE.read_text()}\nmain(json.loads({json.dumps(told)!r}))\n"


@contextmanager
def going_on(spec: ClusterSpec, probe: Probe, limits: Limits) -> Iterator[Traffic]:
    """Sessions go on in the block; at its end they are told to stop, and have all been told of."""
    host = _host(probe)
    traffic, stop = Traffic(host.name), ours.traffic_stop(secrets.token_hex(8))
    with connect(host, limits) as remote:
        text = program(job(spec, probe, stop))
        thread = threading.Thread(target=_run, args=(remote, text, traffic, durations.traffic(spec.vrrp.preempt_delay)))
        thread.start()
        try:
            yield traffic
        finally:
            _stop(probe, stop, limits)
            thread.join(60)


def _run(remote: Remote, text: str, traffic: Traffic, seconds: int) -> None:
    try:
        answer = remote.run(text, seconds=seconds + 60, interpreter="python3", on_line=traffic.line)
        if answer.code != 0:
            last = (answer.err.strip().splitlines() or [f"exit code {answer.code}"])[-1]
            traffic.error = f"{remote.access.name}: the probe ended early: {last}"
    except (WorkError, ValueError) as error:
        traffic.error = str(error)


def _host(probe: Probe) -> Access:
    if probe.access is None:
        raise WorkError(
            "Sessions that go on are made from a probe host, and none is set: the worker alone will not do."
        )
    return probe.access


def _stop(probe: Probe, stop: str, limits: Limits) -> None:
    """By a connection of its own: the first one is busy with the program's output."""
    try:
        with connect(_host(probe), limits) as remote:
            remote.run(f": >{stop}\n")
    except WorkError:
        # Then it ends by its own time.
        return


def wait_for(
    traffic: Traffic, done: Callable[[], bool], seconds: float, what: str, check: Callable[[], object]
) -> None:
    """Waits until `done`. Raises ProofFailed with `what` did not come about, or what ended the probe."""
    end = time.monotonic() + seconds
    while not done():
        check()
        if traffic.error:
            raise ProofFailed(traffic.error)
        if time.monotonic() > end:
            raise ProofFailed(f"{what} (waited {seconds:.0f} s).{_last(traffic.rows)}")
        time.sleep(0.2)


def _last(rows: Sequence[tuple[float, Row]]) -> str:
    ended = [row for _, row in rows if row["kind"] == "short"]
    said = [row["message"] for _, row in rows if row.get("message")]
    last = f", the last one said: {said[-1][:150]}" if said else ""
    return f" Of {len(ended)} sessions until now {sum(not row['ok'] for row in ended)} failed{last}."
