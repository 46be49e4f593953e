"""Runs that look, while a router is in maintenance: it is left alone, nothing is put right, and the outcome says so."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from lbftp.core.findings import Finding
from lbftp.core.job import Job
from workers.errors import WorkError
from workers.outcome import Outcome, spec_of
from workers.remote import Limits
from workers.report import Report

Work = Callable[[Job, Report, Limits], Outcome]


def aside(work: Work) -> Work:
    """`work` on the routers that are in service."""

    def carry_out(job: Job, report: Report, limits: Limits) -> Outcome:
        if not job.resting:
            return work(job, report, limits)
        serving = tuple(a for a in job.routers if a.name not in job.resting)
        if not serving:
            raise WorkError("Every router of this cluster is in maintenance: bring one back first.")
        said = f"{_names(job)} in maintenance and was left alone{'; nothing is re-applied' if job.reapply else ''}."
        report.note("info", said)
        outcome = work(dataclasses.replace(job, routers=serving, reapply=False), report, limits)
        return _with_pair(job, outcome, report, said)

    return carry_out


def _with_pair(job: Job, outcome: Outcome, report: Report, said: str) -> Outcome:
    """The check of the pair needs both routers; what is left of it is that somebody in service holds the VIP."""
    outcome.text = f"{outcome.text} {said}"
    if outcome.state == "succeeded" and not outcome.result.get("master"):
        vip = spec_of(job).sides[0].vip
        remedy = "See that keepalived runs on the router that is in service, or bring the other one back."
        what = f"{vip} is held by no router that is in service"
        finding = Finding("vip-not-held", "error", "", what, "one router", "no router", remedy, repairable=False)
        report.finding(finding)
        outcome.result["findings"] = [*outcome.result.get("findings", []), finding.to_json()]
        outcome.text = f"{what}. {outcome.text}"
        outcome.state = outcome.state if job.kind == "comply" else "failed"
    return outcome


def _names(job: Job) -> str:
    return f"{' and '.join(sorted(job.resting))} is"
