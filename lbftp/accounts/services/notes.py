"""Audit rows about people: in each team that a person belongs to, so that whoever works with them can read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from lbftp.accounts.models import Team
from lbftp.changes import trail


def note(
    *,
    person: AbstractBaseUser,
    by: AbstractBaseUser | None,
    what: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Rows that say what `by` did to `person`; None: somebody who is not known, or lbftp itself."""
    for team in Team.objects.filter(memberships__user_id=person.pk).order_by("pk"):
        note_in(team, person=person, by=by, what=what, before=before, after=after)


def note_in(  # noqa: PLR0913 - the columns of the row
    team: Team,
    *,
    person: AbstractBaseUser,
    by: AbstractBaseUser | None,
    what: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """The same in one team, for what concerns that team alone."""
    trail.record(
        team=team,
        user=by,
        subject="person",
        subject_id=person.pk,
        name=person.get_username(),
        what=what,
        before=before,
        after=after,
    )
