"""Running a program of steps on one router, its marks and its output becoming events as they come."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

from lbftp.core import foreign, program
from lbftp.core.program.complaints import explained
from lbftp.core.secrecy import hidden
from lbftp.core.steps import Step
from workers.errors import StepFailed
from workers.remote import Remote
from workers.report import Report

# Of steps that nobody announced: a program has few of its own.
_MOST_UNKNOWN: Final = 50


def titles(steps: Sequence[Step]) -> dict[str, str]:
    return {s.id: s.title for s in steps}


def run_steps(report: Report, remote: Remote, text: str, token: str, names: Mapping[str, str]) -> None:
    """Asks first whether the run goes on, then as `follow_steps`."""
    report.check()
    follow_steps(report, remote, text, token, names)


def follow_steps(report: Report, remote: Remote, text: str, token: str, names: Mapping[str, str]) -> None:
    """Runs a program of steps and reports its marks and its output as they come; from any thread. Raises StepFailed,
    WorkError."""
    router, follow = remote.access.name, _Follow(report, remote.access.name, token, names)
    answer = remote.run(text, on_line=follow)
    if answer.code != 0:
        current, last = follow.failed or (follow.current, follow.last)
        step = names.get(current, current) or "the program"
        said = explained((last or answer.err.strip() or f"exit code {answer.code}")[:500])
        raise StepFailed(f"{router}: «{step}» failed: {said}")


class _Follow:
    """Turns a program's lines into events."""

    def __init__(self, report: Report, router: str, token: str, names: Mapping[str, str]) -> None:
        self._report, self._router, self._token, self._names = report, router, token, names
        self._lines = foreign.Lines()
        self._unknown: set[str] = set()
        self._start = 0.0
        self.current = self.last = ""
        # The first step that failed and what it said last; a program may go on with its own way back.
        self.failed: tuple[str, str] | None = None

    def __call__(self, line: str) -> None:
        mark = program.read_mark(line, self._token)
        if mark is None or not self._may_be(mark.step):
            for said in self._lines(hidden(line)):
                self.last = said.strip() or self.last
                self._report.output(self._router, self.current, said)
        elif mark.code is None:
            self.current, self.last, self._start = mark.step, "", time.monotonic()
            self._report.step(self._router, self._step(mark.step), "started")
        else:
            self._end(mark.step, mark.code)

    def _may_be(self, step: str) -> bool:
        """Whether it is one of the program's: the machine knows the token, and may print what it likes."""
        if step in self._names or step in self._unknown:
            return True
        if len(self._unknown) >= _MOST_UNKNOWN or len(step) > 200 or hidden(step) != step:
            return False
        self._unknown.add(step)
        return True

    def _end(self, step: str, code: int) -> None:
        seconds = round(time.monotonic() - self._start, 2)
        if code == 0:
            self._report.step(self._router, self._step(step), "done", seconds=seconds)
        else:
            message = self.last or f"exit code {code}"
            self.failed = self.failed or (step, message)
            self._report.failed(self._router, self._step(step), message, seconds=seconds)

    def _step(self, id_: str) -> tuple[str, str]:
        return id_, self._names.get(id_, id_)
