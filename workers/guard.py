"""The routers' own guards, seen from the manager: let them start anew, confirm, ask, wait for them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Final

from lbftp.core import ours, program
from lbftp.core.durations import GUARD_TRIES
from lbftp.core.job import Access
from lbftp.core.program.complaints import explained
from lbftp.core.program.guard import STATUS, GuardState, Hold, state
from workers.errors import StepFailed, WorkError
from workers.observe import Pair, connected, each
from workers.remote import Limits, Remote
from workers.report import Report
from workers.stepping import follow_steps

# How much longer than its time a guard is waited for.
PATIENCE_SECONDS: Final = GUARD_TRIES
_BETWEEN_SECONDS: Final = 3
CONFIRM: Final = ("confirm", "Keep the change: the guard goes", "confirm")


def extend(report: Report, pair: Pair, hold: Hold, names: Sequence[str]) -> None:
    """Every guard starts anew with all its seconds. Raises StepFailed where one has put things back already."""
    report.check()

    def again(name: str, remote: Remote) -> None:
        answer = remote.run(program.guard.extend(hold, secrets.token_hex(8)))
        if answer.code != 0:
            lines = answer.out.decode(errors="replace").splitlines()
            said = [line for line in lines if not line.startswith(f"{ours.STEP_MARK} ")]
            raise StepFailed(f"{name}: {explained((said or ['its guard does not answer'])[-1])}")
        report.guard(name, "extended", hold.seconds)

    each({name: pair[name] for name in names}, again)


def confirm(report: Report, pair: Pair, hold: Hold, names: Sequence[str]) -> None:
    """The change stays on all of `names`, side by side: nothing can come between them for long."""
    report.check()

    def keep(name: str, remote: Remote) -> None:
        token = secrets.token_hex(8)
        follow_steps(report, remote, program.guard.confirm(hold, token), token, {CONFIRM[0]: CONFIRM[1]})
        report.guard(name, "confirmed", 0)

    each({name: pair[name] for name in names}, keep)


def ask(remote: Remote) -> GuardState:
    """What the router's guard says now."""
    answer = remote.run(STATUS)
    return state(answer.out.decode(errors="replace"))


def patience(hold: Hold) -> float:
    """Until when (time.monotonic) guards that were last heard of now are waited for."""
    return time.monotonic() + hold.seconds + PATIENCE_SECONDS


def await_put_back(access: Access, hold: Hold, report: Report, limits: Limits, until: float) -> bool:
    """Whether the router's own guard has put the checkpoint back, as soon as the router can be asked again.

    Asked once even if `until` is past already.
    """
    report.note(
        "warning", f"{access.name} cannot be reached: its guard puts back what was there within {hold.seconds} s."
    )
    first = True
    while first or time.monotonic() < until:
        first = False
        time.sleep(_BETWEEN_SECONDS)
        try:
            with connected([access], limits) as pair:
                found = ask(pair[access.name])
        except WorkError:
            continue
        if found.restored == hold.checkpoint:
            report.guard(access.name, "restored", 0)
            return True
        if found.armed != hold.checkpoint:
            return False
    return False
