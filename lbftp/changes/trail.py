"""The one way to leave an audit row for what is no move of state: people, credentials, machines, settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from lbftp.accounts.models import Team
from lbftp.changes import origin
from lbftp.changes.models import Transition

# What rows may be about, beside what has states, with the word for a group of them.
SUBJECTS: Final[dict[str, str]] = {
    "person": "People",
    "team": "Teams",
    "credential": "Credentials",
    "machine": "Machines",
    "policy": "Policies",
    "window": "Windows",
    "secrets": "Secrets",
}
_OTHERS: Final = ("change", "run", "cluster", "drain")


def record(  # noqa: PLR0913 - the columns of the row
    *,
    team: Team,
    user: AbstractBaseUser | AnonymousUser | None,
    subject: str,
    subject_id: int,
    name: str,
    what: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> Transition:
    """A row that says: `user` did `what` to the thing `name` (None: lbftp itself).

    `before` and `after` hold the values that changed, as small JSON; never a secret. To be called in the transaction
    that makes the change, so that there is never the one without the other. Raises ValueError for an unknown subject.
    """
    if subject not in SUBJECTS and subject not in _OTHERS:
        raise ValueError(f"there is no kind of audit row {subject!r}")

    return Transition.objects.create(
        team=team,
        subject=subject,
        subject_id=subject_id,
        name=name[:150],
        what=what[:200],
        before=dict(before or {}),
        after=dict(after or {}),
        reason=reason[:500],
        **by(user),
    )


def by(user: AbstractBaseUser | AnonymousUser | None) -> dict[str, Any]:
    """The columns that tell who acted, and how the act came."""
    known = user if isinstance(user, AbstractBaseUser) else None

    return {
        "user": known,
        "actor": known.get_username()[:150] if known else "",
        "origin": origin.present(),
    }
