"""The restart proof: the guide's last step, restart the firewall unit and keepalived, and everything is still there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lbftp.core import proofs
from lbftp.core.findings import findings, master
from lbftp.core.job import Job
from lbftp.core.observe.observed import Observed
from lbftp.core.plan import Plan
from lbftp.core.problem import Problem
from workers.changing import Change, state_of
from workers.errors import ProofFailed, WorkError
from workers.observe import Pair, connected, look_at
from workers.outcome import Outcome, seen, spec_of
from workers.probe import in_words
from workers.proofs import guarded as g
from workers.proofs.guarded import do, guarded, sessions, settled, taken
from workers.rollout import Rollout

_OURS: Final = ("ours", "See that all of ours is still there", "run")
_FOREIGN: Final = ("foreign", "See what others had running", "run")


def _plan(job: Job, observed: Mapping[str, Observed], _pair: Pair) -> Plan:
    return proofs.restart_plan(spec_of(job), observed, job.params)


def _problems(job: Job, observed: Mapping[str, Observed]) -> list[Problem]:
    return proofs.problems(spec_of(job), observed, "restart", job.params)


def _carry_out(rollout: Rollout) -> Outcome:
    told: dict[str, dict[str, Any]] = {}
    names = rollout.order()
    g.declare(rollout, names, names, [g.SESSIONS])
    try:
        with taken(rollout):
            _keep(rollout, names)
            with guarded(rollout, names):
                for name in names:
                    rollout.report.phase("apply", f"Restart {name}")
                    told[name] = _restart(rollout, name)
                rollout.report.phase("prove", "Prove it by FTP sessions")
                g.keep(rollout)
                sessions(rollout)
                g.extend(rollout)
                rollout.after = settled(rollout)
                rollout.report.phase("confirm", "Confirm")
    except WorkError as error:
        return Outcome(state_of(error), str(error), {"restart": told, "sessions": rollout.proof.rows})
    result = {**seen(rollout.spec, rollout.after), "restart": told, "sessions": rollout.proof.rows}
    proved = in_words(rollout.proof) if rollout.proof.rows else "No FTP session was made."
    text = f"Restarted on {' and '.join(names)}: all of ours is there.{_words(told)} {proved}"
    return Outcome("succeeded", text, result)


def _keep(rollout: Rollout, names: list[str]) -> None:
    """Before any guard waits: its way back reads what this writes."""
    with connected(rollout.job.routers, rollout.limits) as pair:
        for name in names:
            do(rollout, pair, name, "keep-rules")


def _restart(rollout: Rollout, name: str) -> dict[str, Any]:
    """One router: its firewall units, what came of that, then keepalived; all seen over fresh connections."""
    report, before = rollout.report, rollout.before[name]
    g.keep(rollout)
    with connected([g.access_of(rollout, name)], rollout.limits) as pair:
        do(rollout, pair, name, "restart-units")
    g.keep(rollout)
    with connected([g.access_of(rollout, name)], rollout.limits) as pair:
        with report.doing(name, *_OURS[:2]):
            now = _ours(rollout, name, pair)
        gone, meanwhile = proofs.missing(before, now), proofs.come(before, now)
        left = _foreign(rollout, pair, name, gone, meanwhile)
        g.keep(rollout)
        do(rollout, pair, name, "restart-keepalived")
    settled(rollout, proofs.home(rollout.spec, master(rollout.spec, rollout.before)))
    units = [u for s in rollout.plan.router(name).steps if s.kind == "restart-units" for u in s.params["units"]]
    return {"units": [*units, "keepalived.service"], "gone": len(gone), "put_back": len(gone) - len(left), "left": left}


def _ours(rollout: Rollout, name: str, pair: Pair) -> Observed:
    now = look_at(name, pair[name])
    lost = [f for f in findings(rollout.spec, {name: now}) if f.severity == "error"]
    if lost:
        raise ProofFailed(f"{name}: {lost[0].what} after the restart of its firewall unit.")
    return now


def _foreign(rollout: Rollout, pair: Pair, name: str, gone: list[str], meanwhile: list[str]) -> list[str]:
    """The rules of others that are gone for good. Raises ProofFailed if they were to come back and did not."""
    report, planned = rollout.report, {s.kind for s in rollout.plan.router(name).steps}
    for text in gone[:50]:
        report.output(name, _FOREIGN[0], f"gone: {text}")
    if gone and "put-back-rules" in planned:
        do(rollout, pair, name, "put-back-rules")
        left = proofs.missing(rollout.before[name], look_at(name, pair[name]))
        if left:
            raise ProofFailed(f"{name}: {len(left)} rules of others did not come back, such as «{left[0][:120]}».")
        if meanwhile:
            text = f"{name}: others put rules in while theirs were gone; what ran before is back instead of these: "
            report.note("warning", text + "; ".join(meanwhile)[:300])
        return []
    if "put-back-rules" in planned:
        report.step(name, ("put-back-rules", "Put back what others only ran"), "skipped")
    if gone:
        report.note("warning", f"{name}: {len(gone)} rules of others are gone, as the proposal says: {gone[0][:120]}")
    return gone


def _words(told: Mapping[str, Mapping[str, Any]]) -> str:
    back, left = (sum(int(t["put_back"]) for t in told.values()), sum(len(t["left"]) for t in told.values()))
    words = f" {back} rules of others were put back as they ran." if back else ""
    return words + (f" {left} rules of others are gone." if left else "")


RESTART: Final = Change(_plan, _problems, _carry_out, g.take_over)
