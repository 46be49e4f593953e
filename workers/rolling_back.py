"""Rolling a pair of routers back to a checkpoint: a plan of inverse steps from what lies on the routers, rolled out as
every change is, with a way back from the way back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from lbftp.core.findings import findings
from lbftp.core.job import Job
from lbftp.core.lint import lint_others
from lbftp.core.observe.observed import Observed
from lbftp.core.plan import Plan
from lbftp.core.problem import Problem
from lbftp.core.program import records
from lbftp.core.rollback import Record, Request, record_of, remains, roll_back
from lbftp.core.spec import ClusterSpec, from_json
from workers.changing import Change, state_of
from workers.errors import WorkError
from workers.observe import Pair, understood
from workers.outcome import Outcome, seen, spec_of
from workers.probe import in_words
from workers.remote import Limits, Remote
from workers.report import Report
from workers.restore import take_over
from workers.rollout import Rollout, roll_out


def _plan(job: Job, observed: Mapping[str, Observed], pair: Pair) -> Plan:
    found = {name: _records(pair[name], observed[name]) for name in observed}
    return roll_back(_request(job), observed, found)


def _records(remote: Remote, observed: Observed) -> list[Record]:
    """Of the checkpoints whose change stands on the router."""
    standing = {c.name: c for c in observed.checkpoints if c.state == "applied"}
    answer = remote.run(records.read_program(sorted(standing)))

    def read() -> list[Record]:
        texts = records.records(answer.out)
        found = (record_of(standing[name], text) for name, text in texts.items() if name in standing)
        return [record for record in found if record is not None]

    return understood(observed.router, read)


def _request(job: Job) -> Request:
    return Request(
        spec=job.previous or spec_of(job),
        to=_target(job.params),
        run=int(job.params["run"]),
        owner=job.owner,
        chosen=dict(job.params["checkpoints"]),
        others=job.others,
    )


def _target(params: Mapping[str, Any]) -> ClusterSpec | None:
    return from_json(params["to"]["spec"]) if params["to"] else None


def _problems(job: Job, _observed: Mapping[str, Observed]) -> list[Problem]:
    """What other clusters hold by now. The plan itself tells the rest."""
    target = _target(job.params)
    return lint_others(target, job.others) if target else []


def _carry_out(rollout: Rollout) -> Outcome:
    job, target = rollout.job, _target(rollout.job.params)
    wanted = dataclasses.replace(rollout, spec=target or rollout.spec, gone=target is None)
    try:
        roll_out(wanted)
    except WorkError as error:
        return Outcome(state_of(error), str(error), {"sessions": wanted.proof.rows})
    proved = in_words(wanted.proof) if wanted.proof.rows else "No FTP session was made."
    text = f"Both routers are as they were before run {job.params['run']}. {proved}"
    if target is None:
        return Outcome("succeeded", f"{text} Nothing of {wanted.spec.name} is left.", {"master": ""})
    result = seen(target, wanted.after, findings(target, wanted.after))
    return Outcome("succeeded", text, {**result, "sessions": wanted.proof.rows})


def _take_over(job: Job, spec: ClusterSpec, report: Report, limits: Limits) -> Outcome:
    target = _target(job.params)
    if target is not None:
        return take_over(job, target, report, limits)
    return take_over(job, spec, report, limits, lambda observed: not remains(spec, observed))


ROLLBACK: Final = Change(_plan, _problems, _carry_out, _take_over)
