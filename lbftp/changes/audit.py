"""Moves of state as a list for people: of what, from what to what, by whom and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.urls import reverse

from lbftp.changes.models import ChangeRequest, Run, Transition
from lbftp.clusters.models import Cluster
from lbftp.daytwo.models import Drain

SUBJECTS: Final[dict[str, str]] = {"change": "Changes", "run": "Runs", "cluster": "Clusters", "drain": "Drains"}
_MODELS: Final[dict[str, Any]] = {"change": ChangeRequest, "run": Run, "cluster": Cluster, "drain": Drain}
_PAGES: Final = {
    "change": "changes:change",
    "run": "changes:run",
    "cluster": "clusters:cluster",
    "drain": "daytwo:drained",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """`name` and `url` are of the thing; `url` is '' if it is gone. `look` is how `new` is drawn."""

    row: Transition
    name: str
    url: str
    old: str
    new: str
    look: str


def entries(rows: Sequence[Transition]) -> list[Entry]:
    """The rows with what they are about, in one query for each kind of thing."""
    names: dict[tuple[str, int], str] = {}
    for subject, model in _MODELS.items():
        wanted = {row.subject_id for row in rows if row.subject == subject}
        for thing in model.objects.filter(pk__in=wanted):
            names[subject, thing.pk] = _name(thing)
    return [_entry(row, names.get((row.subject, row.subject_id))) for row in rows]


def _name(thing: ChangeRequest | Run | Cluster | Drain) -> str:
    return f"Run {thing.pk}: {thing.title}" if isinstance(thing, Run) else str(thing)


def _entry(row: Transition, name: str | None) -> Entry:
    words = dict(_MODELS[row.subject].State.choices)
    about = (
        name or f"{row.subject} {row.subject_id}, removed",
        reverse(_PAGES[row.subject], args=[row.subject_id]) if name else "",
    )
    if row.subject == "cluster" and row.old == row.new:
        # No state moved: how the cluster is dealt with was changed.
        return Entry(row, *about, "", "Setting changed", "info")
    return Entry(row, *about, words.get(row.old, row.old), words.get(row.new, row.new), row.new)
