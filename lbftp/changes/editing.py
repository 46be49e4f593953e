"""Saving on top of what somebody else saved meanwhile: refused with both sides in hand, and every edit leaves a row.

A service that replaces stored values takes `seen`, the values its caller read before. Under the lock of the row it
compares them with what is stored: whatever wrote in between (a page, a file, a worker) is found, since values are
compared and not a counter that a writer could forget.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from lbftp.accounts.models import Team
from lbftp.changes import trail
from lbftp.changes.errors import Conflict, Edit, unseen
from lbftp.changes.models import Transition

Values = Mapping[str, Any]
Person = AbstractBaseUser | AnonymousUser

# What an audit row says of a thing that did not exist before: whoever made it gave all its values.
MADE: Final = "Created."
# What it says of values that came by a file, and where rows have the version of all values before and after.
LOADED: Final = "Draft loaded from a file"
VERSION: Final = "version"
# Rows to look through for who edited what; older edits are somebody's, only not told whose.
_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class Thing:
    """What is edited, as the rows of the audit name it."""

    team: Team
    subject: str
    pk: int
    name: str
    prefix: str = ""

    def told(self, values: Values) -> dict[str, Any]:
        """`values` as its rows have them; a thing that has no rows of its own tells its values apart by `prefix`."""
        return {f"{self.prefix}{key}": value for key, value in values.items()}


def refuse_unseen(thing: Thing, *, seen: Values | None, stored: Values, wanted: Values) -> None:
    """Raises Conflict if `wanted` would replace what the caller never saw.

    `seen` None: the caller stands on nothing that was read before, so there is nothing to compare. To be called with
    the row locked, in the transaction that writes.
    """
    if seen is None:
        return

    if keys := unseen(seen, stored, wanted):
        raise Conflict(name=thing.name, seen=seen, stored=stored, wanted=wanted, edits=edits(thing, keys))


def note(  # noqa: PLR0913 - the columns of the row
    thing: Thing, *, user: Person | None, before: Values, after: Values, what: str, reason: str = ""
) -> None:
    """A row with the values that changed; none where nothing did."""
    keys = [key for key in dict.fromkeys([*before, *after]) if before.get(key) != after.get(key)]

    if not keys:
        return

    trail.record(
        team=thing.team,
        user=user,
        subject=thing.subject,
        subject_id=thing.pk,
        name=thing.name,
        what=what,
        before={key: before[key] for key in keys if key in before},
        after={key: after[key] for key in keys if key in after},
        reason=reason,
    )


def edits(thing: Thing, keys: Iterable[str]) -> dict[str, Edit]:
    """Of each of `keys` its last edit, where there is a row of it."""
    return {key: _edit(row) for key, row in _last(thing, keys).items()}


def newest(thing: Thing) -> int:
    """The number of the newest row; stands for values that are secret. 0 where there is none."""
    return max((row.pk for row in _rows(thing)), default=0)


def unseen_by(user: Person, thing: Thing, keys: Iterable[str]) -> dict[str, Edit]:
    """Those of `keys` that somebody else edited after `user` last edited the thing, each with that edit."""
    rows = _rows(thing)
    own = next((row.pk for row in rows if row.user_id == user.pk), 0)
    others = _last(thing, keys, rows)

    return {key: _edit(row) for key, row in others.items() if row.user_id != user.pk and row.pk > own}


def unseen_since(user: Person, thing: Thing, *, old: str, now: str) -> set[str] | None:
    """What was edited since the version `old`, but by `user` loading a file again; `now` is the present version.

    None where the rows do not reach back to `old`, or something was written that left no row.
    """
    found: set[str] = set()
    version = now

    for row in _rows(thing):
        if version == old:
            break
        if VERSION not in row.after:
            continue
        if row.after[VERSION] != version:
            return None
        version = row.before.get(VERSION, "")
        if row.user_id != user.pk or row.what != LOADED:
            found |= {*row.before, *row.after}

    return found if version and version == old else None


def _rows(thing: Thing) -> list[Transition]:
    """Edits, newest first."""
    rows = Transition.objects.filter(team=thing.team, subject=thing.subject, subject_id=thing.pk)

    return [row for row in rows.order_by("-pk")[:_MOST] if row.what or row.after]


def _last(thing: Thing, keys: Iterable[str], rows: list[Transition] | None = None) -> dict[str, Transition]:
    found: dict[str, Transition] = {}
    names = {f"{thing.prefix}{key}": key for key in keys}

    for row in _rows(thing) if rows is None else rows:
        # Whoever made a thing gave all its values, but not those of what came to it later.
        every = row.what == MADE and not thing.prefix
        told = {key for name, key in names.items() if every or name in row.before or name in row.after}
        found |= dict.fromkeys(told - set(found), row)

    return found


def _edit(row: Transition) -> Edit:
    return Edit(row.actor or "lbftp itself", row.origin, row.at)
