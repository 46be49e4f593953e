"""Which function does which kind of run, and which kinds of changes there are: a new one is a module and a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from lbftp.core.job import REVISION, Job
from workers import changing, jobs
from workers.changing import Change
from workers.outcome import Outcome
from workers.proofs.failover import FAILOVER
from workers.proofs.maintenance import MAINTENANCE
from workers.proofs.reboot import REBOOT
from workers.proofs.restart import RESTART
from workers.remote import Limits
from workers.report import Report
from workers.resting import aside
from workers.rolling_back import ROLLBACK
from workers.setting_keys import SERVERS

CHANGES: Final[Mapping[str, Change]] = {
    REVISION: changing.TO_REVISION,
    "rollback": ROLLBACK,
    "servers": SERVERS,
    "restart": RESTART,
    "reboot": REBOOT,
    "failover": FAILOVER,
    "maintenance": MAINTENANCE,
}


def _plan(job: Job, report: Report, limits: Limits) -> Outcome:
    return changing.make_plan(CHANGES[job.change], job, report, limits)


def _carry_out(job: Job, report: Report, limits: Limits) -> Outcome:
    return changing.carry_out(CHANGES[job.change], job, report, limits)


KINDS: Final[Mapping[str, Callable[[Job, Report, Limits], Outcome]]] = {
    "enrol": jobs.enrol,
    "facts": jobs.facts,
    "import": jobs.bring_in,
    "plan": _plan,
    "verify": aside(jobs.verify),
    "comply": aside(jobs.comply),
    "apply": _carry_out,
    **dict.fromkeys(CHANGES.keys() - {REVISION}, _carry_out),
}
