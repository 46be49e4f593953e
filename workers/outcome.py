"""What came of a run, for whoever started it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from lbftp.core.findings import Finding, master
from lbftp.core.job import Job
from lbftp.core.observe.observed import Observed
from lbftp.core.plan import Plan
from lbftp.core.problem import Problem
from lbftp.core.spec import ClusterSpec
from workers.errors import WorkError

# So many findings are named in an outcome; the run's page has all.
_NAMED: Final = 3


@dataclass(slots=True)
class Outcome:
    """`text` is one sentence. `plan` is set by planning, `stale` by an apply that met another plan, `refused` by a
    plan that cannot be made, `host_key` and `facts` by enrolling and looking at a machine."""

    state: Literal["succeeded", "failed", "cancelled"]
    text: str
    result: dict[str, Any] = field(default_factory=dict)
    plan: Plan | None = None
    stale: Plan | None = None
    refused: Sequence[Problem] = ()
    host_key: str = ""
    facts: dict[str, Any] | None = None


def spec_of(job: Job) -> ClusterSpec:
    """The job's spec; every kind of run on a cluster has one."""
    if job.spec is None:
        raise WorkError(f"run {job.run_id} has no cluster to work on: start it anew.")
    return job.spec


def problems(found: Sequence[Finding]) -> list[Finding]:
    """What somebody has to do something about, the worst first; the rest is for information."""
    return sorted((f for f in found if f.severity != "info"), key=lambda f: f.severity != "error")


def named(found: Sequence[Finding]) -> str:
    """The first ones in words, and how many more there are."""
    told = "; ".join(f"{f.router or 'the pair'}: {f.what}" for f in found[:_NAMED])
    return f"{told}{f'; and {len(found) - _NAMED} more' if len(found) > _NAMED else ''}."


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def in_counts(found: Sequence[Finding]) -> str:
    """ "5 errors and 1 warning"; only what there is."""
    kinds = ((sum(f.severity == kind for f in found), kind) for kind in ("error", "warning"))
    return " and ".join(counted(number, kind) for number, kind in kinds if number)


def seen(spec: ClusterSpec, observed: Mapping[str, Observed], found: Sequence[Finding] = ()) -> dict[str, Any]:
    """The part of a result that tells what was seen of the pair."""
    return {"master": master(spec, observed), "findings": [f.to_json() for f in found]}
