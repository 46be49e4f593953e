"""What each kind of run does: from a job to an outcome. Rules live in lbftp.core, moves on routers in rollout."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from lbftp.core.checks import sessions
from lbftp.core.checks.state import check
from lbftp.core.findings import Finding, needs_repair
from lbftp.core.importing import propose
from lbftp.core.job import Access, Job
from lbftp.core.observe.observed import Observed
from lbftp.core.render import nftables
from workers.changing import LOOK
from workers.errors import WorkError
from workers.looking import Looking, looking_at
from workers.observe import Pair, connected, look
from workers.outcome import Outcome, in_counts, named, problems, seen, spec_of
from workers.probe import Proof, in_words, prove
from workers.remote import Limits, offered_key
from workers.repairing import repaired
from workers.report import PAIR, Report
from workers.restore import take_over
from workers.servers import declared, looking_at_servers

Work = Callable[[Job, Report, Limits], Outcome]

_IMPORT: Final = ("observe", "Look for FTP clusters")
_SESSIONS: Final = ("sessions", "Make FTP sessions through the VIP")
_COMPARE: Final = ("compare", "Compare with what was applied")


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
    report.declare(PAIR, [(*LOOK, "observe"), (*_SESSIONS, "prove"), *declared(job), (*_COMPARE, "compare")])
    with connected(job.routers, limits) as pair, looking_at_servers(job, report, limits) as servers:
        connecting = time.monotonic() - began
        with looking_at(pair, report, LOOK) as looking:
            proof = _proven(job, pair, report, limits, looking)
            observed = looking.result()
        found = [*check(spec, observed), *sessions.check(spec, proof.rows), *servers.findings()]
    _compared(found, report)
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
    with report.doing(PAIR, *_SESSIONS) as step:
        proof = prove(
            spec_of(job),
            job.probes,
            pair,
            report,
            limits,
            look=looking.result,
            run_id=job.run_id,
            between=looking.tell,
        )
        step.amiss = in_words(proof) if proof.failures or not proof.rows else ""
    return proof


def _compared(found: Sequence[Finding], report: Report) -> None:
    """Tells what was found. The step fails with the errors among it: a check that found some is no success."""
    with report.doing(PAIR, *_COMPARE) as step:
        for finding in found:
            report.finding(finding)
        if any(f.severity == "error" for f in found):
            step.amiss = f"{in_counts(found)}: {named(problems(found))}"


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
        outcome = repaired(job, found, observed, report, limits)
    return replace(outcome, result={**outcome.result, "servers": servers.rows})


def _reported(found: list[Finding], observed: Mapping[str, Observed], job: Job, report: Report) -> Outcome:
    """A check that found errors has failed, as a verification has; warnings are told beside a success."""
    report.phase("compare", _COMPARE[1])
    report.declare(PAIR, [(*_COMPARE, "compare")])
    _compared(found, report)
    result = seen(spec_of(job), observed, found)
    told = problems(found)
    if not told:
        return Outcome("succeeded", "In step: no findings.", result)
    text = f"{in_counts(told)}: {named(told)}"
    if job.reapply:
        text += " Re-applying changes nothing about it."
    return Outcome("failed" if told[0].severity == "error" else "succeeded", text, result)


def _target(job: Job) -> Access:
    if job.target is None:
        raise WorkError(f"run {job.run_id} names no machine: start it anew.")
    return job.target
