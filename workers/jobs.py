"""What each kind of run does: from a job to an outcome. Rules live in lbftp.core, moves on routers in rollout."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from lbftp.core.checks import sessions
from lbftp.core.checks.state import check
from lbftp.core.findings import Finding, needs_repair
from lbftp.core.ftp.looks import of_a_machine
from lbftp.core.importing import propose
from lbftp.core.job import Access, Job
from lbftp.core.observe.observed import Observed
from lbftp.core.plan import Plan, plan
from lbftp.core.problem import errors
from lbftp.core.render import nftables
from workers.changing import LOOK, problems_of, state_of
from workers.errors import WorkError
from workers.looking import Looking, looking_at
from workers.observe import Pair, connected, look
from workers.outcome import Outcome, seen, spec_of
from workers.probe import Proof, in_words, prove
from workers.remote import Limits, offered_key
from workers.report import PAIR, Report
from workers.restore import take_over
from workers.rollout import Rollout, roll_out
from workers.servers import declared, looking_at_servers

Work = Callable[[Job, Report, Limits], Outcome]

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


def verify(job: Job, report: Report, limits: Limits) -> Outcome:
    """State of both routers and FTP sessions, side by side. Changes nothing."""
    spec, began = spec_of(job), time.monotonic()
    report.declare(PAIR, [(*LOOK, "observe"), (*_SESSIONS, "prove"), *declared(job)])
    with connected(job.routers, limits) as pair, looking_at_servers(job, report, limits) as servers:
        connecting = time.monotonic() - began
        with looking_at(pair, report, LOOK) as looking:
            proof = _proven(job, pair, report, limits, looking)
            observed = looking.result()
        found = [*check(spec, observed), *sessions.check(spec, proof.rows), *servers.findings()]
    for finding in found:
        report.finding(finding)
    # How long everything took beside how long the sessions alone did.
    times = {"connect": connecting, "look": looking.seconds, "sessions": proof.seconds}
    seconds = {name: round(t, 2) for name, t in {**times, "total": time.monotonic() - began}.items()}
    result = {**seen(spec, observed, found), **proof.to_json(), "servers": servers.rows, "seconds": seconds}
    bad = [f for f in found if f.severity == "error"]
    if job.probes and (proof.failures or not proof.rows):
        return Outcome("failed", in_words(proof), result)
    if bad:
        return Outcome("failed", f"{bad[0].router or 'The pair'}: {bad[0].what}.", result)
    return Outcome("succeeded", in_words(proof) if proof.rows else "The routers are as wanted.", result)


def _proven(job: Job, pair: Pair, report: Report, limits: Limits, looking: Looking) -> Proof:
    if not job.probes:
        report.step(PAIR, _SESSIONS, "skipped")
        report.note("warning", "No probe host is set for this cluster, so no FTP session was made.")
        return Proof()
    with report.doing(PAIR, *_SESSIONS):
        return prove(
            spec_of(job),
            job.probes,
            pair,
            report,
            limits,
            look=looking.result,
            run_id=job.run_id,
            between=looking.tell,
        )


def comply(job: Job, report: Report, limits: Limits) -> Outcome:
    """Compares the routers with the applied revision; re-applies where the policy says so and it helps."""
    spec = spec_of(job)
    if job.fence > 1 and job.reapply:
        take_over(job, spec, report, limits)
    report.phase("observe", "Look at both routers")
    report.declare(PAIR, [(*LOOK, "observe"), *declared(job)])
    with connected(job.routers, limits) as pair, looking_at_servers(job, report, limits) as servers:
        with report.doing(PAIR, *LOOK):
            observed = look(pair)
        found = check(spec, observed) + servers.findings()
    if not job.reapply or not needs_repair(found):
        outcome = _reported(found, observed, job, report)
    else:
        made = plan(spec, observed)
        outcome = _repaired(found, made, Rollout(job, spec, made, observed, report, limits))
    return replace(outcome, result={**outcome.result, "servers": servers.rows})


def _reported(found: list[Finding], observed: Mapping[str, Observed], job: Job, report: Report) -> Outcome:
    spec = spec_of(job)
    for finding in found:
        report.finding(finding)
    text = f"{len(found)} findings." if found else "In step: no findings."
    return Outcome("succeeded", text, seen(spec, observed, found))


def _repaired(found: list[Finding], made: Plan, rollout: Rollout) -> Outcome:
    report, spec = rollout.report, rollout.spec
    report.phase("repair", "Put right what was found")
    stops = errors(problems_of(rollout.job, rollout.before))
    try:
        if stops:
            raise WorkError(f"{stops[0].reason} {stops[0].remedy}")
        roll_out(rollout)
    except WorkError as error:
        for finding in found:
            report.finding(finding)
        return Outcome(
            state_of(error), f"{len(found)} findings, not put right: {error}", seen(spec, rollout.before, found)
        )
    left = {(f.code, f.router, f.what) for f in check(spec, rollout.after)}
    looked_at = {"", *rollout.after}
    rows = [{**f.to_json(), "repaired": _gone(f, left, looked_at)} for f in found]
    for finding, row in zip(found, rows, strict=True):
        report.finding(finding, repaired=row["repaired"])
    result = {**seen(spec, rollout.after), "findings": rows, **rollout.proof.to_json()}
    steps = sum(len(r.steps) for r in made.routers)
    return Outcome("succeeded", f"{len(found)} findings, put right in {steps} steps.", result)


def _gone(finding: Finding, left: Collection[tuple[str, str, str]], looked_at: Collection[str]) -> bool:
    """Whether it was there before and is not any more. What is on a server's own machine nobody put right."""
    if of_a_machine(finding.to_json()) or finding.router not in looked_at:
        return False
    return (finding.code, finding.router, finding.what) not in left


def _target(job: Job) -> Access:
    if job.target is None:
        raise WorkError(f"run {job.run_id} names no machine: start it anew.")
    return job.target
