"""From what happened to an exit status and a message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.http import Http404

from lbftp.changes.errors import Conflict, Invalid, Refused, ServiceError
from lbftp.cli.ask import Ask, WrongUse
from lbftp.core.spec import SpecError
from lbftp.database import AWAY

DONE: Final = 0
FAILED: Final = 1
WRONG_USE: Final = 2
REFUSED: Final = 3

_AWAY: Final = (
    "The database does not answer: is it the one that the site has (LBFTP_VAR, LBFTP_DATABASE_URL), and does it run? "
    "When it answers, `manage.py lbftp status` tells whether anything was begun."
)


def exit_status(act: Callable[[Ask], int], ask: Ask) -> int:
    """Does what was asked; says what went wrong on stderr, and with --json as the answer as well."""
    try:
        return act(ask)
    except Conflict as error:
        return _met(ask, error)
    except (Refused, PermissionDenied) as error:
        return _report(ask, REFUSED, "refused", error)
    except (Invalid, SpecError, WrongUse, Http404) as error:
        return _report(ask, WRONG_USE, "wrong use", error)
    except ServiceError as error:
        return _report(ask, FAILED, "failed", error)
    except AWAY as error:
        return _report(ask, FAILED, "failed", ServiceError(f"{_AWAY} ({str(error).splitlines()[0]})"))


def _met(ask: Ask, error: Conflict) -> int:
    """Somebody else saved meanwhile: which values, whose, and what stands against them."""
    ask.complain(f"changed meanwhile: {error}")
    found = [conflicting(error, key) for key in error.others]
    for one in found:
        by = f" ({one['by']}, {one['at']})" if one["by"] else ""
        ask.complain(f"  {one['field']}: stored {one['stored']!r}{by}; yours {one['wanted']!r}")
    ask.answer({"error": str(error), "problems": [], "conflicts": found, "exit": REFUSED})
    return REFUSED


def conflicting(error: Conflict, key: str) -> dict[str, Any]:
    """One value that two people want otherwise."""
    edit = error.edits.get(key)
    return {
        "field": key,
        "stored": error.stored.get(key),
        "wanted": error.wanted.get(key),
        "by": " ".join(filter(None, (edit.who, edit.how))) if edit else "",
        "at": edit.at.isoformat(timespec="seconds") if edit else "",
    }


def _report(ask: Ask, status: int, word: str, error: Exception) -> int:
    problems: list[dict[str, Any]] = error.problems if isinstance(error, Invalid) else []
    if problems:
        lines = [f"{p['severity']} {p['code']} {p['field']}: {p['reason']} {p['remedy']}".rstrip() for p in problems]
    else:
        lines = [str(error)]
    for line in lines:
        ask.complain(f"{word}: {line}")
    ask.answer({"error": str(error), "problems": problems, "exit": status})
    return status
