"""Steps -> the POSIX shell programs that a router runs. The only place that quotes."""

from __future__ import annotations

from collections.abc import Sequence

from lbftp.core.program.actions import DO
from lbftp.core.program.shell import STEP_FAILED, Mark, program, read_mark
from lbftp.core.program.way_back import CHECKPOINTS, checkpoint, restore, run_leftover_restore, run_restore
from lbftp.core.steps import Step

__all__ = [
    "CHECKPOINTS", "STEP_FAILED", "Mark", "apply", "checkpoint", "read_mark", "restore", "run_leftover_restore",
    "run_restore",
]  # fmt: skip


def apply(steps: Sequence[Step], token: str) -> str:
    """The program that does `steps` in their order."""
    return program({s.id: DO[s.kind](s.params) for s in steps}, token)
