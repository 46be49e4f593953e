"""What each kind of run does: from a job to an outcome. Rules live in lbftp.core, moves on routers in rollout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from lbftp.core.findings import Finding, findings, needs_repair
from lbftp.core.importing import propose
from lbftp.core.job import Access, Job
from lbftp.core.lint import lint_others
from lbftp.core.observe.observed import Observed
from lbftp.core.plan import Plan, plan
from lbftp.core.preflight import preflight
from lbftp.core.problem import Problem, errors
from lbftp.core.render import nftables
from workers.errors import Cancelled, WorkError
from workers.observe import connected, look
from workers.outcome import Outcome, seen, spec_of
from workers.probe import Proof, in_words, prove
from workers.remote import Limits, offered_key
from workers.report import PAIR, Report
from workers.restore import take_over
from workers.rollout import Rollout, rehearse, roll_out

Work = Callable[[Job, Report, Limits], Outcome]

_LOOK: Final = ("observe", "Look at both routers")
_IMPORT: Final = ("observe", "Look for FTP clusters")
_SESSIONS: Final = ("sessions", "Make FTP sessions through the VIP")


def enrol(job: Job, report: Report, limits: Limits) -> Outcome:
    """The host key that a machine offers, for a person to confirm. No login."""
    target = _target(job)
    with report.doing(target.name, "key", "Fetch the host key"):
        key = offered_key(target.name, target.address, target.port, limits)
    return Outcome("succeeded", f"{target.name} showed its host key: compare the fingerprint.", host_key=key)


def facts(job: Job, report: Report, limits: Limits) -> Outcome:
    """What kind of router a machine is."""
    target = _target(job)
    with report.doing(target.name, "facts", "Look at the router"), connected([target], limits) as pair:
        observed = look(pair)[target.name]
    return Outcome("succeeded", f"{target.name} was looked at.", facts=facts_json(observed))


def facts_json(observed: Observed) -> dict[str, Any]:
    """The form of Router.facts."""
    known = observed.facts
    return {
        "hostname": known.hostname,
        "platform": known.platform,
        "os": known.os,
        "kernel": known.kernel,
        "keepalived": known.keepalived,
        "iptables": known.iptables,
        "nft": known.nft,
        "firewall": observed.firewall,
        "interfaces": [{"name": n, "addresses": [str(a) for a in found]} for n, found in known.interfaces.items()],
        "firewall_unit": known.firewall_unit if observed.firewall == "iptables" else f"{observed.firewall}.service",
        "rules_path": nftables.MAIN[known.platform] if observed.firewall == "nftables" else known.rules_path,
        "modules": sorted(m for m in observed.modules if m.startswith(("ip_vs", "nf_"))),
        "warnings": _warnings(observed),
    }


def _warnings(observed: Observed) -> list[str]:
    found = []
    if not observed.facts.keepalived:
        found.append("keepalived is not installed: install the package keepalived.")
    if observed.firewall == "firewalld":
        found.append("firewalld owns the packet filter: no cluster can be applied until iptables or nftables does.")
    elif observed.firewall == "iptables" and not observed.unit(observed.facts.firewall_unit).exists:
        found.append(f"There is no unit {observed.facts.firewall_unit} to load saved rules at boot.")
    return found + [f"{name} cannot be read: {text.strip()}" for name, text in sorted(observed.others.items())]


def bring_in(job: Job, report: Report, limits: Limits) -> Outcome:
    """Proposals of the clusters that already run on one or two routers. Nothing is changed."""
    report.declare(PAIR, [(*_IMPORT, "observe")])
    with connected(job.routers, limits) as pair, report.doing(PAIR, *_IMPORT):
        found = propose(look(pair))
    names = ", ".join(p.name for p in found)
    text = f"Found {names}: read what was left over before you save a draft." if found else "No FTP cluster runs there."
    return Outcome("succeeded", text, {"proposals": [p.to_json() for p in found]})


def make_plan(job: Job, report: Report, limits: Limits) -> Outcome:
    """A plan from what the routers hold, or the reasons why there can be none. Nothing is changed."""
    spec = spec_of(job)
    report.declare(PAIR, [(*_LOOK, "observe")])
    with connected(job.routers, limits) as pair, report.doing(PAIR, *_LOOK):
        observed = look(pair)
    problems = _problems(job, observed)
    if stops := errors(problems):
        return Outcome("failed", f"{stops[0].reason} {stops[0].remedy}", refused=problems)
    made = plan(spec, observed, problems)
    text = "The routers hold this already." if made.empty else f"{sum(len(r.steps) for r in made.routers)} steps."
    return Outcome("succeeded", text, seen(spec, observed), plan=made)


def _problems(job: Job, observed: Mapping[str, Observed]) -> list[Problem]:
    spec = spec_of(job)
    return [*lint_others(spec, job.others), *(p for name in sorted(observed) for p in preflight(spec, observed[name]))]


def apply(job: Job, report: Report, limits: Limits) -> Outcome:
    """Applies the approved plan, if it is still the plan."""
    spec = spec_of(job)
    if job.fence > 1 and not job.dry:
        return take_over(job, spec, report, limits)
    report.phase("observe", "Look at both routers")
    report.declare(PAIR, [(*_LOOK, "observe"), ("compare", "Compare with the approved plan", "compare")])
    with connected(job.routers, limits) as pair, report.doing(PAIR, *_LOOK):
        observed = look(pair)
    report.phase("compare", "Compare with the approved plan")
    with report.doing(PAIR, "compare", "Compare with the approved plan"):
        problems = _problems(job, observed)
        made = plan(spec, observed, problems)
    if made.digest != job.approved_digest:
        text = (
            "The routers changed since this plan was approved; nothing was touched. Read the new plan and approve it."
        )
        return Outcome("failed", text, seen(spec, observed), stale=made)
    if stops := errors(problems):
        return Outcome("failed", f"{stops[0].reason} {stops[0].remedy}", seen(spec, observed))
    if made.empty:
        return Outcome("succeeded", "No changes: the routers hold this already.", seen(spec, observed))
    rollout = Rollout(job, spec, made, observed, report, limits)
    return _dry(rollout) if job.dry else _rolled_out(rollout)


def _dry(rollout: Rollout) -> Outcome:
    """Everything up to the first change: the routers' own programs judge the new files."""
    try:
        rehearse(rollout)
    except WorkError as error:
        return Outcome(_state(error), str(error), seen(rollout.spec, rollout.before))
    steps = sum(len(r.steps) for r in rollout.plan.routers)
    return Outcome(
        "succeeded", f"Dry run: {steps} steps would follow. Nothing was changed.", seen(rollout.spec, rollout.before)
    )


def _rolled_out(rollout: Rollout) -> Outcome:
    try:
        roll_out(rollout)
    except WorkError as error:
        return Outcome(_state(error), str(error), {"sessions": rollout.proof.rows})
    proved = in_words(rollout.proof) if rollout.proof.rows else "No FTP session was made."
    result = seen(rollout.spec, rollout.after, findings(rollout.spec, rollout.after))
    return Outcome("succeeded", f"Applied and kept. {proved}", {**result, "sessions": rollout.proof.rows})


def verify(job: Job, report: Report, limits: Limits) -> Outcome:
    """State of both routers and FTP sessions. Changes nothing."""
    spec = spec_of(job)
    report.declare(PAIR, [(*_LOOK, "observe"), (*_SESSIONS, "prove")])
    with connected(job.routers, limits) as pair:
        with report.doing(PAIR, *_LOOK):
            observed = look(pair)
        found = findings(spec, observed)
        for finding in found:
            report.finding(finding)
        proof = Proof()
        if job.probe is not None:
            with report.doing(PAIR, *_SESSIONS):
                proof = prove(spec, job.probe, pair, report, limits)
        else:
            report.step(PAIR, _SESSIONS, "skipped")
            report.note("warning", "No probe host is set for this cluster, so no FTP session was made.")
    result = {**seen(spec, observed, found), "sessions": proof.rows}
    bad = [f for f in found if f.severity == "error"]
    if proof.failures or bad:
        words = in_words(proof) if proof.failures else f"{bad[0].router or 'The pair'}: {bad[0].what}."
        return Outcome("failed", words, result)
    return Outcome("succeeded", in_words(proof) if proof.rows else "The routers are as wanted.", result)


def comply(job: Job, report: Report, limits: Limits) -> Outcome:
    """Compares the routers with the applied revision; re-applies where the policy says so and it helps."""
    spec = spec_of(job)
    if job.fence > 1 and job.reapply:
        take_over(job, spec, report, limits)
    report.phase("observe", "Look at both routers")
    report.declare(PAIR, [(*_LOOK, "observe")])
    with connected(job.routers, limits) as pair, report.doing(PAIR, *_LOOK):
        observed = look(pair)
    found = findings(spec, observed)
    if not job.reapply or not needs_repair(found):
        return _reported(found, observed, job, report)
    made = plan(spec, observed)
    return _repaired(found, made, Rollout(job, spec, made, observed, report, limits))


def _reported(found: list[Finding], observed: Mapping[str, Observed], job: Job, report: Report) -> Outcome:
    spec = spec_of(job)
    for finding in found:
        report.finding(finding)
    text = f"{len(found)} findings." if found else "In step: no findings."
    return Outcome("succeeded", text, seen(spec, observed, found))


def _repaired(found: list[Finding], made: Plan, rollout: Rollout) -> Outcome:
    report, spec = rollout.report, rollout.spec
    report.phase("repair", "Put right what was found")
    stops = errors(_problems(rollout.job, rollout.before))
    try:
        if stops:
            raise WorkError(f"{stops[0].reason} {stops[0].remedy}")
        roll_out(rollout)
    except WorkError as error:
        for finding in found:
            report.finding(finding)
        return Outcome(
            _state(error), f"{len(found)} findings, not put right: {error}", seen(spec, rollout.before, found)
        )
    left = {(f.code, f.router, f.what) for f in findings(spec, rollout.after)}
    rows = [{**f.to_json(), "repaired": (f.code, f.router, f.what) not in left} for f in found]
    for finding, row in zip(found, rows, strict=True):
        report.finding(finding, repaired=row["repaired"])
    result = {**seen(spec, rollout.after), "findings": rows, "sessions": rollout.proof.rows}
    steps = sum(len(r.steps) for r in made.routers)
    return Outcome("succeeded", f"{len(found)} findings, put right in {steps} steps.", result)


def _state(error: WorkError) -> Literal["failed", "cancelled"]:
    return "cancelled" if isinstance(error, Cancelled) else "failed"


def _target(job: Job) -> Access:
    if job.target is None:
        raise WorkError(f"run {job.run_id} names no machine: start it anew.")
    return job.target


KINDS: Final[Mapping[str, Work]] = {
    "enrol": enrol,
    "facts": facts,
    "plan": make_plan,
    "apply": apply,
    "verify": verify,
    "comply": comply,
    "import": bring_in,
}
