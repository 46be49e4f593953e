"""The one door for what came from outside: everything that machines said passes it before it becomes a row.

Behind it no text has secrets of ours or of others, characters that move a cursor, or what a database refuses.
"""

from __future__ import annotations

from typing import Any, Final

from django.utils.crypto import salted_hmac

from lbftp.core import foreign
from lbftp.core.plan import change
from lbftp.core.printable import LONGEST, printable
from lbftp.core.secrecy import hidden

_SALT: Final = "lbftp.outside"


def told(value: Any, longest: int = LONGEST) -> Any:
    """A text or JSON value that may be stored and shown. Doing it twice changes nothing more."""
    return printable(foreign.masked(hidden(value), _digest), longest)


def told_plan(plan: dict[str, Any]) -> dict[str, Any]:
    """`core.plan.to_json` likewise. Differences are made anew, so that they fit what is shown of both sides."""
    routers = [{**router, "differences": [_difference(d) for d in router["differences"]]} for router in plan["routers"]]
    shown: dict[str, Any] = told({**plan, "routers": routers})
    return shown


def _difference(given: dict[str, Any]) -> dict[str, Any]:
    before, after = told(given["before"]), told(given["after"])
    if (before, after) == (given["before"], given["after"]):
        return given
    return {**given, "before": before, "after": after, "diff": change(given["what"], before, after).diff}


def _digest(secret: str) -> str:
    """Six digits that change with the secret, and tell nothing of it to whoever lacks the site's key."""
    return salted_hmac(_SALT, secret, algorithm="sha256").hexdigest()[:6]
