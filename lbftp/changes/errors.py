"""What services refuse, in words for people. Pages show the message; the command line gives each an exit code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError

from lbftp.clusters.specs import problem_of
from lbftp.core.problem import Problem
from lbftp.core.spec import SpecError


class ServiceError(Exception):
    """`message` says what is wrong and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class Refused(ServiceError):
    """Not allowed: no permission, one's own change, the wrong state."""


class StalePlan(Refused):
    """The plan is another one than the person saw or approved."""


class Invalid(ServiceError):
    """Values that cannot be accepted. `problems`: [{code, severity, field, reason, remedy, router}]."""

    def __init__(self, problems: Iterable[Mapping[str, Any]]) -> None:
        self.problems = [dict(p) for p in problems]
        super().__init__(" ".join(f"{p['field']}: {p['reason']} {p['remedy']}".strip() for p in self.problems))

    @classmethod
    def at(cls, field: str, reason: str, remedy: str = "") -> Invalid:
        """One problem with one field."""
        return cls([problem("LBF001", field, reason, remedy)])

    @classmethod
    def of(cls, error: SpecError) -> Invalid:
        return cls([problem_of(error).to_json()])

    @classmethod
    def of_validation(cls, error: ValidationError) -> Invalid:
        """Django's field errors in the same form."""
        return cls(
            # Django files what concerns several columns under __all__: here that is always a name that is taken.
            problem("LBF001", "name" if field == "__all__" else field, " ".join(texts))
            for field, texts in error.message_dict.items()
        )


@dataclass(frozen=True, slots=True)
class Edit:
    """Who saved a value last: the name then, how it came ('' by a page), and when."""

    who: str
    how: str
    at: datetime


class Conflict(ServiceError):
    """Somebody else saved since `seen` was read, and `wanted` would remove it. Nothing was written.

    `stored` is what is there now. All three are values by field; `seen` lacks what the caller never saw. `edits` tells
    of each field that somebody else changed who it was, where that is known.
    """

    def __init__(
        self,
        *,
        name: str,
        seen: Mapping[str, Any],
        stored: Mapping[str, Any],
        wanted: Mapping[str, Any],
        edits: Mapping[str, Edit],
    ) -> None:
        self.name, self.seen, self.stored, self.wanted = name, seen, stored, wanted
        self.edits = dict(edits)
        super().__init__(self._message())

    @property
    def others(self) -> list[str]:
        """The fields that somebody else changed to what is not wanted here, in order."""
        return unseen(self.seen, self.stored, self.wanted)

    @property
    def who(self) -> list[str]:
        """The people behind `others`, as far as they are known."""
        return list(dict.fromkeys(self.edits[key].who for key in self.others if key in self.edits))

    def _told(self, key: str) -> str:
        """The field; where it is the only one, with both values."""
        name = key.replace("_", " ")
        if len(self.others) > 1:
            return name

        return f"{name}: {self.stored.get(key, 'none')} now, {self.wanted.get(key, 'none')} by you"

    def _message(self) -> str:
        who = " and ".join(self.who) or "Somebody else"
        what = ", ".join(self._told(key) for key in self.others)

        return (
            f"{who} changed {self.name} since you read it ({what}). Nothing of yours was saved yet: "
            "look at what is there now, and decide."
        )


def unseen(seen: Mapping[str, Any], stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Fields whose stored value is another one than the caller saw, and would be replaced, in order."""
    keys = dict.fromkeys([*stored, *wanted, *seen])
    there, known, asked = (_without_empty(values) for values in (stored, seen, wanted))

    return [key for key in keys if there.get(key) not in (known.get(key), asked.get(key))]


def _without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    """An empty text is no value: there is nothing in it that could get lost."""
    return {key: value for key, value in values.items() if value != ""}


class LostClaim(Exception):
    """The run was claimed by another worker meanwhile, or has ended. Stop touching the routers."""


def problem(code: str, field: str, reason: str, remedy: str = "") -> dict[str, str]:
    """An error in the form that pages and the command line show."""
    return Problem(code, "error", field, reason, remedy).to_json()
