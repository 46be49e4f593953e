"""A router is taken out for maintenance, its addresses moved to the other one first; or brought back.

keepalived stops there, and does not start at a boot either: stopping tells the other router at once (priority 0,
RFC 5798, 6.4.3), and frees this one of everything that belongs to the cluster. A lower priority would leave the VIP
where it is until the other one's timer ends, would not move it at all without preemption, and changes a file of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lbftp.core import proofs
from lbftp.core.job import Job
from lbftp.core.observe.observed import Observed
from lbftp.core.plan import Plan
from lbftp.core.problem import Problem
from lbftp.core.program import disturbing
from lbftp.core.spec import ClusterSpec
from workers.changing import Change, state_of
from workers.errors import WorkError
from workers.observe import Pair, connected
from workers.outcome import Outcome, seen, spec_of
from workers.proofs import guarded as g
from workers.proofs.guarded import await_holder, do, guarded, settled, taken
from workers.remote import Limits
from workers.report import PAIR, Report
from workers.rollout import Rollout

_MOVED: Final = ("moved", "See the addresses on the other router", "prove")


def _plan(job: Job, observed: Mapping[str, Observed], _pair: Pair) -> Plan:
    return proofs.maintenance_plan(spec_of(job), observed, job.params)


def _problems(job: Job, observed: Mapping[str, Observed]) -> list[Problem]:
    return proofs.problems(spec_of(job), observed, "maintenance", job.params)


def _carry_out(rollout: Rollout) -> Outcome:
    name, out = str(rollout.job.params["router"]), bool(rollout.job.params["out"])
    after = [_MOVED, g.SESSIONS] if out else [g.SETTLE, g.SESSIONS]
    g.declare(rollout, [name], [name], after)
    try:
        with taken(rollout), guarded(rollout, [name]):
            rollout.report.phase("apply", f"{name} {'rests' if out else 'comes back'}")
            told = _out(rollout, name) if out else _back(rollout, name)
            rollout.report.phase("prove", "Prove it by FTP sessions")
            g.extend(rollout)
            g.sessions(rollout)
            rollout.report.phase("confirm", "Confirm")
    except WorkError as error:
        return Outcome(state_of(error), str(error), {"sessions": rollout.proof.rows})
    result = {**told, "sessions": rollout.proof.rows}
    return Outcome("succeeded", result.pop("words"), result)


def _out(rollout: Rollout, name: str) -> dict[str, Any]:
    other = next(r.name for r in rollout.spec.routers if r.name != name)
    with connected(rollout.job.routers, rollout.limits) as pair:
        do(rollout, pair, name, "rest-keepalived")
        with rollout.report.doing(PAIR, *_MOVED[:2]):
            moved = await_holder(rollout, pair, other)
    words = f"{name} is out: {other} held every address {moved} s after keepalived had stopped there."
    return {"master": other, "maintenance": {"router": name, "out": True, "seconds": moved}, "words": words}


def _back(rollout: Rollout, name: str) -> dict[str, Any]:
    with connected(rollout.job.routers, rollout.limits) as pair:
        do(rollout, pair, name, "return-keepalived")
    highest = max(rollout.spec.routers, key=lambda r: r.priority).name
    with rollout.report.doing(PAIR, *g.SETTLE[:2]):
        rollout.after = settled(rollout, proofs.home(rollout.spec, highest))
    found = seen(rollout.spec, rollout.after)
    words = f"{name} is back and complete; {found['master']} holds the VIP."
    return {**found, "maintenance": {"router": name, "out": False}, "words": words}


def _take_over(job: Job, spec: ClusterSpec, report: Report, limits: Limits) -> Outcome:
    """What was confirmed before the worker died stands; everything else is put back."""
    outcome = g.take_over(job, spec, report, limits)
    name, out = str(job.params["router"]), bool(job.params["out"])
    with connected([a for a in job.routers if a.name == name], limits) as pair:
        rests = pair[name].run(disturbing.RESTS).out.strip() == b"yes"
    if rests != out:
        return outcome
    words = f"A worker fell silent in this run, after {name} had {'gone out' if out else 'come back'}: that stands."
    told = {"router": name, "out": out, **({"seconds": None} if out else {})}
    return Outcome("succeeded", words, {**outcome.result, "maintenance": told})


MAINTENANCE: Final = Change(_plan, _problems, _carry_out, _take_over)
