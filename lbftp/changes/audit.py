"""Moves of state as a list for people: of what, from what to what, by whom and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.urls import reverse

from lbftp.changes import trail
from lbftp.changes.editing import VERSION
from lbftp.changes.models import ChangeRequest, Run, Transition
from lbftp.clusters.models import Cluster
from lbftp.daytwo.models import Drain

_STATES: Final[dict[str, Any]] = {"change": ChangeRequest, "run": Run, "cluster": Cluster, "drain": Drain}
SUBJECTS: Final[dict[str, str]] = {
    "change": "Changes",
    "run": "Runs",
    "cluster": "Clusters",
    "drain": "Drains",
    **trail.SUBJECTS,
}
_PAGES: Final = {
    "change": "changes:change",
    "run": "changes:run",
    "cluster": "clusters:cluster",
    "drain": "daytwo:drained",
}
_NOBODY: Final = "lbftp itself"


@dataclass(frozen=True, slots=True)
class Changed:
    """One value before and after; '' where there was none."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Entry:
    """`name` and `url` are of the thing; `url` is '' if it is gone. `look` is how `new` is drawn.

    `who` is the person's name at the time, and `origin` how the act came ('' for pages and for lbftp itself).
    """

    row: Transition
    name: str
    url: str
    old: str
    new: str
    look: str
    who: str
    origin: str
    values: tuple[Changed, ...]


def entries(rows: Sequence[Transition]) -> list[Entry]:
    """The rows with what they are about, in one query for each kind of thing."""
    names: dict[tuple[str, int], str] = {}

    for subject, model in _STATES.items():
        wanted = {row.subject_id for row in rows if row.subject == subject}
        for thing in model.objects.filter(pk__in=wanted):
            names[subject, thing.pk] = _name(thing)

    return [_entry(row, names.get((row.subject, row.subject_id))) for row in rows]


def _name(thing: ChangeRequest | Run | Cluster | Drain) -> str:
    return f"Run {thing.pk}: {thing.title}" if isinstance(thing, Run) else str(thing)


def _entry(row: Transition, present: str | None) -> Entry:
    url = reverse(_PAGES[row.subject], args=[row.subject_id]) if present else ""
    gone = ", removed" if row.subject in _STATES and not present else ""
    name = present or (row.name or f"{row.subject} {row.subject_id}") + gone
    old, new, look = _moved(row)

    return Entry(
        row=row,
        name=name,
        url=url,
        old=old,
        new=new,
        look=look,
        who=row.actor or (str(row.user) if row.user else _NOBODY),
        origin=row.origin,
        values=_values(row),
    )


def _moved(row: Transition) -> tuple[str, str, str]:
    """From, to, and how that is drawn."""
    if row.what:
        return "", row.what, "info"

    if row.subject == "cluster" and row.old == row.new:
        # No state moved: how the cluster is dealt with was changed.
        return "", "Setting changed", "info"

    words = dict(_STATES[row.subject].State.choices)
    return words.get(row.old, row.old), words.get(row.new, row.new), row.new


def _values(row: Transition) -> tuple[Changed, ...]:
    # The version of a draft says nothing to people; `load` compares it.
    keys = [key for key in dict.fromkeys([*row.before, *row.after]) if key != VERSION]
    return tuple(Changed(_label(key), _shown(row.before, key), _shown(row.after, key)) for key in keys)


def _label(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _shown(values: dict[str, Any], key: str) -> str:
    value = values.get(key, "")

    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(each) for each in value)

    return "" if value is None else str(value)
