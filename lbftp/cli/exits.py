"""From what happened to an exit status and a message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.http import Http404

from lbftp.changes.errors import Invalid, Refused, ServiceError
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
    except (Refused, PermissionDenied) as error:
        return _report(ask, REFUSED, "refused", error)
    except (Invalid, SpecError, WrongUse, Http404) as error:
        return _report(ask, WRONG_USE, "wrong use", error)
    except ServiceError as error:
        return _report(ask, FAILED, "failed", error)
    except AWAY as error:
        return _report(ask, FAILED, "failed", ServiceError(f"{_AWAY} ({str(error).splitlines()[0]})"))


def _report(ask: Ask, status: int, word: str, error: Exception) -> int:
    problems: list[dict[str, Any]] = error.problems if isinstance(error, Invalid) else []
    if problems:
        lines = [f"{p['severity']} {p['code']} {p['field']}: {p['reason']} {p['remedy']}".rstrip() for p in problems]
    else:
        lines = [str(error)]
    for line in lines:
        ask.stderr.write(f"{word}: {line}")
    ask.answer({"error": str(error), "problems": problems, "exit": status})
    return status
