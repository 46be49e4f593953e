"""A checkpoint's record: the steps of a run as they were carried out, kept on the router for a way back past them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbftp.core.job import Job
from lbftp.core.observe.checkpoints import Checkpoint
from lbftp.core.steps import Step

_FIELDS = ("id", "kind", "title", "phase", "why", "params")


@dataclass(frozen=True, slots=True)
class Record:
    """`number` orders the checkpoints of one router. `before` is the number of the revision that was applied before the
    run, 0 for none. `kind` is the run's."""

    name: str
    number: int
    cluster: str
    run: int
    owner: str
    kind: str
    before: int
    steps: tuple[Step, ...]

    @property
    def repair(self) -> bool:
        """Whether it only put right what had drifted: that drift is not brought back."""
        return self.kind == "comply"


def record_text(job: Job, steps: Sequence[Step]) -> str:
    """What is kept of a run on one router. The cluster comes first: the router's own roll-back reads it with sed."""
    values = {
        "cluster": job.spec.name if job.spec else "",
        "run": job.run_id,
        "owner": job.owner,
        "kind": job.kind,
        "before": job.applied_number,
        "steps": [s.to_json() for s in steps],
    }
    return json.dumps(values)


def record_of(checkpoint: Checkpoint, text: str) -> Record | None:
    """The record of a checkpoint; None for a text that is none (an earlier version kept nothing)."""
    try:
        values = json.loads(text)
        steps = tuple(_step(s) for s in values["steps"])
        return Record(
            checkpoint.name,
            checkpoint.number,
            str(values["cluster"]),
            int(values["run"]),
            str(values["owner"]),
            str(values["kind"]),
            int(values["before"]),
            steps,
        )
    except (ValueError, KeyError, TypeError):
        return None


def _step(values: Mapping[str, Any]) -> Step:
    return Step(**{field: values[field] for field in _FIELDS})
