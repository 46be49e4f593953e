"""What a probe tells, line by line in JSON: of the form that its program gives, whoever answers in its place."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from workers.errors import WorkError

_MOST_TEXT: Final = 500
_MOST_KEYS: Final = 16
# Counts of bytes, bytes per second, seconds.
_MOST: Final = 2**53

Row = dict[str, Any]


def read(line: str, like: Mapping[str, Any], name: str) -> Row:
    """The row in `line` with the keys of `like`, each value of the same kind as there; long texts are cut.

    Numbers are finite, not negative and below 2**53. Raises WorkError, which calls the machine `name`.
    """
    try:
        found = json.loads(line, parse_constant=_no_number)
        return {key: _value(found[key], kind) for key, kind in like.items()}
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise WorkError(
            f"{name}: what came is not what lbftp's probe tells ({line[:80]!r}). See on that machine what its python3 "
            "is, and that its shell prints nothing of its own."
        ) from error


def _value(found: object, like: object) -> Any:
    """Raises ValueError for another kind of value than `like`."""
    if isinstance(like, dict):
        return _numbers(found)
    if isinstance(like, str) and isinstance(found, str):
        return found[:_MOST_TEXT]
    if isinstance(like, bool) or isinstance(found, bool):
        if type(found) is type(like):
            return found
    elif isinstance(like, int | float) and isinstance(found, int if isinstance(like, int) else int | float):
        return _number(found)
    raise ValueError("a value of another kind")


def _numbers(found: object) -> dict[str, float]:
    if not isinstance(found, dict) or len(found) > _MOST_KEYS:
        raise ValueError("no numbers by name")
    return {str(key)[:_MOST_TEXT]: _number(value) for key, value in found.items()}


def _number(found: Any) -> Any:
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise ValueError("no number")
    if not 0 <= found < _MOST or not math.isfinite(found):
        raise ValueError("a number out of bounds")
    return found


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
