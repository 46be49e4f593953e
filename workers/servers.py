"""Looking at real servers' own machines, where people gave access: nothing is changed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

from lbftp.core.findings import Finding
from lbftp.core.ftp.host import FtpHost, ftp_host
from lbftp.core.ftp.host_findings import host_findings
from lbftp.core.ftp.host_program import program
from lbftp.core.ftp.looks import looked_at
from lbftp.core.job import Access, Job
from workers.errors import WorkError
from workers.observe import understood
from workers.outcome import spec_of
from workers.remote import Limits, Remote, connect
from workers.report import PAIR, Report

LOOK: Final = ("servers", "Look at the real servers")


class Servers:
    """A look at all of a job's real servers that goes on. `findings` belongs to the thread that reports; `rows` are
    which servers it saw, for the result, once it was asked."""

    def __init__(self, job: Job, report: Report, futures: Mapping[str, Future[FtpHost]]) -> None:
        self._job, self._report, self._futures = job, report, futures
        self.rows: list[dict[str, Any]] = []

    def findings(self) -> list[Finding]:
        """Waits for the looks. A server that cannot be looked at is a note: nothing is known of it."""
        if not self._futures:
            return []
        hosts: dict[str, FtpHost] = {}
        reasons: dict[str, str] = {}
        with self._report.doing(PAIR, *LOOK):
            for name, future in self._futures.items():
                try:
                    hosts[name] = future.result()
                except WorkError as error:
                    reasons[name] = str(error)
                    self._report.note("warning", f"The real server {name} was not looked at: {error}")
        self.rows = looked_at(hosts, reasons)
        return host_findings(spec_of(self._job), hosts)


@contextmanager
def looking_at_servers(job: Job, report: Report, limits: Limits) -> Iterator[Servers]:
    """Begins to look at every real server side by side; the looks have ended when the block has."""
    with ThreadPoolExecutor(max(1, len(job.servers))) as pool:
        yield Servers(job, report, {access.name: pool.submit(_look, access, limits) for access in job.servers})


def declared(job: Job) -> list[tuple[str, str, str]]:
    """The step, if there is anything to look at."""
    return [(*LOOK, "observe")] if job.servers else []


def _look(access: Access, limits: Limits) -> FtpHost:
    with connect(access, limits) as remote:
        return look_at(access.name, remote)


def look_at(name: str, remote: Remote) -> FtpHost:
    """What one real server holds now. Raises WorkError."""
    answer = remote.run(program())
    if answer.code != 0:
        raise WorkError(f"{name}: exit code {answer.code}: {answer.err.strip()[-300:]}")
    return understood(name, lambda: ftp_host(name, answer.out))
