"""Proof by real FTP sessions from the probe host, of every promised kind, until every real server in rotation was seen.

A session's row, as it is reported and kept: what `ftp_sessions.row` says, and `real_server` (its name, '' unknown).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lbftp.core.job import Probe
from lbftp.core.promise import promised
from lbftp.core.sessions import kind_row, label
from lbftp.core.spec import ClusterSpec, Family
from workers.errors import WorkError
from workers.observe import Pair, given_to
from workers.remote import Limits, Remote, connect
from workers.report import PAIR, Report

SESSION_TIMEOUT: Final = 15
# One session waits for at most this many answers and connections in a row before it ends by itself.
_WAITS: Final = 4
_SOURCE: Final = Path(__file__).with_name("ftp_sessions.py")

Rows = list[dict[str, Any]]


@dataclass(slots=True)
class Proof:
    """What the sessions showed. `unseen` are (kind, real server) that no session reached."""

    rows: Rows = field(default_factory=list)
    unseen: list[tuple[str, str]] = field(default_factory=list)

    @property
    def failures(self) -> Rows:
        return [row for row in self.rows if not row["ok"]]

    @property
    def complete(self) -> bool:
        return bool(self.rows) and not self.failures and not self.unseen


@dataclass(slots=True)
class Turns:
    """One IP version of the cluster: the source addresses that are left, and the (kind, real server) not yet seen."""

    kinds: list[dict[str, Any]]
    names: dict[str, str]
    sources: list[str]
    wanted: set[tuple[str, str]]

    @property
    def over(self) -> bool:
        return not self.wanted or not self.sources

    def next(self) -> Iterator[dict[str, Any]]:
        """As many clients as there are real servers, each with a source address of its own."""
        size = max(1, len(self.names))
        now, self.sources = self.sources[:size], self.sources[size:]
        yield from ({"source": source, "kinds": self.kinds} for source in now)


def prove(spec: ClusterSpec, probe: Probe, pair: Pair, report: Report, limits: Limits) -> Proof:
    """Sessions through the VIP, each source address in its turn, until each kind saw each server or none is left.

    A client keeps its real server while persistence lasts, so another server is only seen from another address.
    """
    proof, all_turns = Proof(), _turns(spec, probe)
    names = {address: name for turns in all_turns for address, name in turns.names.items()}
    with connect(probe.access, limits) as remote:
        while not proof.failures and (going := [turns for turns in all_turns if not turns.over]):
            report.check()
            clients = [client for turns in going for client in turns.next()]
            rows = _sessions(remote, _job(probe, clients), report)
            _name_servers(rows, given_to(pair), names)
            for row in rows:
                report.session(row)
            proof.rows += rows
            for turns in going:
                turns.wanted -= {(label(row), row["real_server"]) for row in rows}
    _compare_files(proof, report)
    proof.unseen = [] if proof.failures else [missing for turns in all_turns for missing in sorted(turns.wanted)]
    return proof


def _turns(spec: ClusterSpec, probe: Probe) -> list[Turns]:
    found = []
    for side in spec.sides:
        clients = [client for client in promised(spec) if client.family == side.family]
        names = {str(s.at(side.family)): s.name for s in spec.servers(side.family) if s.weight}
        kinds = [{**kind_row(client), "address": str(side.vip)} for client in clients]
        wanted = {(label(kind), name) for kind in kinds for name in names.values()}
        found.append(Turns(kinds, names, _sources(probe, side.family), wanted))
    return found


def _sources(probe: Probe, family: Family) -> list[str]:
    """The probe host's addresses of that IP version; '' (its own choice) if none are given."""
    return [source for source in probe.sources if (":" in source) == (family == 6)] or [""]


def _job(probe: Probe, clients: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "username": probe.username,
        "password": probe.password,
        "path": probe.path,
        "clients": list(clients),
        "timeout": SESSION_TIMEOUT,
    }


def program(job: Mapping[str, Any]) -> str:
    """The Python program that makes the job's sessions."""
    # repr of the JSON text is a Python literal whatever is in it, so nothing of the job can become code.
    return f"{_SOURCE.read_text()}\nmain(json.loads({json.dumps(job)!r}))\n"


def _sessions(remote: Remote, job: Mapping[str, Any], report: Report) -> Rows:
    """The rows of one turn; each is told as it ends, before the router was asked which real server it was."""

    def tell(line: str) -> None:
        row = json.loads(line)
        came = f"{row['bytes']} bytes from {row['data_from']}" if row["ok"] else failure(row)
        report.output(PAIR, "sessions", f"{label(row)} from {row['source'] or 'the probe host'}: {came}")

    longest = max(len(client["kinds"]) for client in job["clients"])
    seconds = longest * SESSION_TIMEOUT * _WAITS + 30
    answer = remote.run(program(job), seconds=seconds, interpreter="python3", on_line=tell)
    if answer.code != 0:
        last = (answer.err.strip().splitlines() or [f"exit code {answer.code}"])[-1]
        raise WorkError(f"{remote.access.name}: the probe could not run: {last} (Python 3 is needed there.)")
    rows = [json.loads(line) for line in answer.out.decode().splitlines()]
    if len(rows) != sum(len(client["kinds"]) for client in job["clients"]):
        last = (answer.err.strip().splitlines() or ["it said nothing"])[-1]
        raise WorkError(f"{remote.access.name}: the probe ended before all its sessions did: {last}")
    return rows


def _name_servers(rows: Rows, given: Mapping[tuple[str, int], str], names: Mapping[str, str]) -> None:
    for row in rows:
        address = given.get((row["client"], row["client_port"]), "")
        row["real_server"] = names.get(address, address)


def _compare_files(proof: Proof, report: Report) -> None:
    """Every real server must hand out the same file, whole."""
    digests = {row["sha256"]: row["real_server"] for row in proof.rows if row["ok"]}
    if len(digests) > 1:
        names = ", ".join(sorted(set(digests.values())))
        report.note("error", f"The fetched file differs between real servers or sessions ({names}).")
        for row in proof.rows:
            row.update(ok=False, stage="checksum", message="another content than in other sessions")


def failure(row: Mapping[str, Any]) -> str:
    """What failed, and between whom: the command, the answer, both ends of both connections."""
    ways = [f"control {row['control']}"] + ([f"data {row['data']}"] if row["data"] else [])
    if row["command"]:
        said = f", last answer: {row['reply']}" if row["reply"] and row["reply"] not in row["message"] else ""
        ways.append(f"last command {row['command']}{said}")
    return f"{row['stage']}: {row['message']} ({'; '.join(ways)})"


def in_words(proof: Proof) -> str:
    """One sentence about what failed, or about what could not be seen."""
    if proof.failures:
        row = proof.failures[0]
        through = f" on {row['real_server']}" if row["real_server"] else ""
        return f"FTP in mode {label(row)}{through} failed at {failure(row)}"
    if proof.unseen:
        missing = ", ".join(f"{kind} on {name}" for kind, name in proof.unseen)
        return (
            f"No session reached: {missing}. Persistence keeps a client on its server: give the probe host more "
            "source addresses."
        )
    kinds = ", ".join(dict.fromkeys(label(row) for row in proof.rows))
    return f"{len(proof.rows)} FTP sessions in {kinds} worked on every real server."
