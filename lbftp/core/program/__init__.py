"""Steps -> the POSIX shell programs that a router runs. The only place that quotes."""

from __future__ import annotations

from collections.abc import Sequence

from lbftp.core.program import guard as guard
from lbftp.core.program.actions import DO
from lbftp.core.program.guard import Hold
from lbftp.core.program.shell import STEP_FAILED, Mark, program, read_mark
from lbftp.core.program.way_back import checkpoint, restore
from lbftp.core.steps import Step

__all__ = [
    "STEP_FAILED", "Hold", "Mark", "apply", "checkpoint", "guard", "read_mark", "restore",
    "take",
]  # fmt: skip


def apply(steps: Sequence[Step], token: str, hold: Hold | None = None) -> str:
    """The program that does `steps` in their order; with `hold` only while its guard waits."""
    before = guard.held(hold) if hold else ""
    return program({s.id: DO[s.kind](s.params) for s in steps}, token, before=before)


def take(hold: Hold, token: str) -> str:
    """The program that makes a router ours until the run ends, or fails and names who has it."""
    return program({"lock": guard.take(hold)}, token)
