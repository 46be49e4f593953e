"""The forms of a rule, and short ways to write down what one found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from lbftp.core.problem import Problem
from lbftp.core.spec import ClusterSpec, Family

# Judges one cluster by itself.
Rule = Callable[[ClusterSpec], Iterator[Problem]]
# Judges the first cluster beside a second one that shares a router with it.
PairRule = Callable[[ClusterSpec, ClusterSpec], Iterator[Problem]]


def error(code: str, field: str, reason: str, remedy: str, router: str = "") -> Problem:
    """It cannot work as it stands: stops a proposal."""
    return Problem(code, "error", field, reason, remedy, router)


def warning(code: str, field: str, reason: str, remedy: str, router: str = "") -> Problem:
    """It works, and will probably disappoint."""
    return Problem(code, "warning", field, reason, remedy, router)


def info(code: str, field: str, reason: str, remedy: str, router: str = "") -> Problem:
    """Something to know."""
    return Problem(code, "info", field, reason, remedy, router)


def field_of(name: str, family: Family) -> str:
    """The form's field for one IP version: 'vip' or 'vip6'."""
    return name if family == 4 else f"{name}6"


def listed(words: Sequence[object], most: int = 5) -> str:
    """`words` for a sentence; a long list is cut with its count."""
    shown = ", ".join(map(str, words[:most]))
    return shown if len(words) <= most else f"{shown} and {len(words) - most} more"


def be(words: Sequence[object], one: str = "is", many: str = "are") -> str:
    """The verb that fits the number of `words`."""
    return one if len(words) == 1 else many
