"""A person confirms: the run stands still with both routers changed and their guards waiting, until somebody speaks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lbftp.core.durations import STANDSTILL
from lbftp.core.job import AWAIT, Job
from lbftp.core.program.guard import Hold
from workers import guard
from workers.errors import ConnectError, Unconfirmed
from workers.observe import connected
from workers.remote import Limits
from workers.report import PAIR, Report

# Before the guards' time is over, so that both routers are put back together and not each by itself.
MARGIN_SECONDS: Final = 5
_NO_LONGER: Final = (
    f"A change waits {STANDSTILL // 3600} h for a person at most: the guards are not extended any more. Confirm it, or "
    "it is put back."
)
STEP: Final = ("await", "A person confirms", AWAIT)


@dataclass(frozen=True, slots=True)
class Standstill:
    """A run's change on the routers `names`, whose guards wait for `left` seconds; extended, for `hold.seconds`."""

    job: Job
    hold: Hold
    names: Sequence[str]
    left: int


def await_person(still: Standstill, report: Report, limits: Limits) -> None:
    """Returns once a person confirmed.

    Raises Unconfirmed when nobody did in time, Cancelled when a person wants it put back. No connection is held
    meanwhile: none would be sure to live for so long.
    """
    until = [time.monotonic() + still.left - MARGIN_SECONDS]
    last = time.monotonic() + STANDSTILL

    def anew() -> None:
        begun = time.monotonic()
        if begun + still.hold.seconds > last:
            report.note("warning", _NO_LONGER)
            return
        try:
            with connected([a for a in still.job.routers if a.name in still.names], limits) as pair:
                guard.extend(report, pair, still.hold, still.names)
            until[0] = begun + still.hold.seconds - MARGIN_SECONDS
        except ConnectError as error:
            report.note("warning", f"The guards could not all be extended: {error}")

    report.phase(AWAIT, "Wait for a person to confirm")
    report.declare(PAIR, [STEP])
    report.on_extend = anew
    with report.doing(PAIR, *STEP[:2]):
        while not report.check().confirm:
            if time.monotonic() > until[0]:
                raise Unconfirmed("Nobody confirmed the change before its guards' time was over.")
            time.sleep(1)
