"""Proof by real FTP sessions from the probe host, in every mode, until every real server in rotation was seen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lbftp.core.job import Probe
from lbftp.core.spec import ClusterSpec
from workers.errors import WorkError
from workers.observe import Pair, given_to
from workers.remote import Limits, Remote, connect
from workers.report import PAIR, Report

MODES: Final = ("PASV", "EPSV", "PORT", "EPRT")
SESSION_TIMEOUT: Final = 15
_SOURCE: Final = Path(__file__).with_name("ftp_sessions.py")


@dataclass(slots=True)
class Proof:
    """What the sessions showed. `unseen` are (mode, real server) that no session reached."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    unseen: list[tuple[str, str]] = field(default_factory=list)

    @property
    def failures(self) -> list[dict[str, Any]]:
        return [row for row in self.rows if not row["ok"]]

    @property
    def complete(self) -> bool:
        return bool(self.rows) and not self.failures and not self.unseen


def prove(spec: ClusterSpec, probe: Probe, pair: Pair, report: Report, limits: Limits) -> Proof:
    """Sessions through the VIP, each source address in its turn, until each mode saw each server or none is left.

    A client keeps its real server while persistence lasts, so another server is only seen from another address.
    """
    names = {str(s.address): s.name for s in spec.real_servers if s.weight}
    wanted = {(mode, name) for mode in MODES for name in names.values()}
    proof, sources = Proof(), list(probe.sources) or [""]
    size = max(1, len(names))
    with connect(probe.access, limits) as remote:
        while sources and wanted:
            turn, sources = sources[:size], sources[size:]
            report.check()
            rows = _sessions(remote, _job(spec, probe, turn), report)
            _name_servers(rows, given_to(pair), names)
            for row in rows:
                report.session(row)
            proof.rows += rows
            wanted -= {(row["mode"], row["real_server"]) for row in rows}
            if any(not row["ok"] for row in rows):
                break
    _compare_files(proof, report)
    proof.unseen = sorted(wanted) if not proof.failures else []
    return proof


def _job(spec: ClusterSpec, probe: Probe, sources: Sequence[str]) -> dict[str, Any]:
    return {
        "address": str(spec.vip),
        "port": spec.control_port,
        "username": probe.username,
        "password": probe.password,
        "path": probe.path,
        "sources": list(sources),
        "modes": list(MODES),
        "timeout": SESSION_TIMEOUT,
    }


def _sessions(remote: Remote, job: Mapping[str, Any], report: Report) -> list[dict[str, Any]]:
    """The rows of one turn; each is told as it ends, before the router was asked which real server it was."""

    def tell(line: str) -> None:
        row = json.loads(line)
        came = f"{row['bytes']} bytes from {row['data_from']}" if row["ok"] else f"{row['stage']}: {row['message']}"
        report.output(PAIR, "sessions", f"{row['mode']} from {row['source'] or 'the probe host'}: {came}")

    # repr of the JSON text is a Python literal whatever is in it, so nothing of the job can become code.
    text = f"{_SOURCE.read_text()}\nmain(json.loads({json.dumps(job)!r}))\n"
    answer = remote.run(text, seconds=len(MODES) * SESSION_TIMEOUT * 4 + 30, interpreter="python3", on_line=tell)
    if answer.code != 0:
        last = (answer.err.strip().splitlines() or [f"exit code {answer.code}"])[-1]
        raise WorkError(f"{remote.access.name}: the probe could not run: {last} (Python 3 is needed there.)")
    rows = [json.loads(line) for line in answer.out.decode().splitlines()]
    if len(rows) != len(job["sources"]) * len(job["modes"]):
        last = (answer.err.strip().splitlines() or ["it said nothing"])[-1]
        raise WorkError(f"{remote.access.name}: the probe ended before all its sessions did: {last}")
    return rows


def _name_servers(
    rows: Sequence[dict[str, Any]], given: Mapping[tuple[str, int], str], names: Mapping[str, str]
) -> None:
    for row in rows:
        address = given.get((row["source"], row["port"]), "")
        row["real_server"] = names.get(address, address)


def _compare_files(proof: Proof, report: Report) -> None:
    """Every real server must hand out the same file, whole."""
    digests = {row["sha256"]: row["real_server"] for row in proof.rows if row["ok"]}
    if len(digests) > 1:
        names = ", ".join(sorted(set(digests.values())))
        report.note("error", f"The fetched file differs between real servers or sessions ({names}).")
        for row in proof.rows:
            row.update(ok=False, stage="checksum", message="another content than in other sessions")


def in_words(proof: Proof) -> str:
    """One sentence about what failed, or about what could not be seen."""
    if proof.failures:
        row = proof.failures[0]
        through = f" on {row['real_server']}" if row["real_server"] else ""
        return f"FTP in mode {row['mode']}{through} failed at {row['stage']}: {row['message']}"
    if proof.unseen:
        missing = ", ".join(f"{mode} on {name}" for mode, name in proof.unseen)
        return (
            f"No session reached: {missing}. Persistence keeps a client on its server: give the probe host more "
            "source addresses."
        )
    return f"{len(proof.rows)} FTP sessions in {', '.join(MODES)} worked on every real server."
