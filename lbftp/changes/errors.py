"""What services refuse, in words for people. Pages show the message; the command line gives each an exit code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


class LostClaim(Exception):
    """The run was claimed by another worker meanwhile, or has ended. Stop touching the routers."""


def problem(code: str, field: str, reason: str, remedy: str = "") -> dict[str, str]:
    """An error in the form that pages and the command line show."""
    return Problem(code, "error", field, reason, remedy).to_json()
