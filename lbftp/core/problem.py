"""A thing that is wrong or doubtful with what somebody wants, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Problem:
    """`code` is stable and documented (docs/lint.md); `field` names the form's field; an error stops a proposal."""

    code: str
    severity: Severity
    field: str
    reason: str
    remedy: str
    router: str = ""

    def to_json(self) -> dict[str, str]:
        return asdict(self)


def errors(problems: Iterable[Problem]) -> list[Problem]:
    """Those that stop a proposal."""
    return [p for p in problems if p.severity == "error"]
