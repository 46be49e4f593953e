"""Which user names are taken: those that a reader could take for another person's are refused."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from django.contrib.auth.models import User

from lbftp.changes.errors import Invalid

_SHAPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
# The audit says `system` and the like where nobody acted.
_RESERVED: Final = frozenset({"system", "automatic", "lbftp", "anonymous", "nobody", "schedule"})
# Letters that look the same in many a typeface, after folding: 0 O, 1 l I, 5 S, rn m, vv w.
_LOOK: Final = (("0", "o"), ("1", "l"), ("i", "l"), ("|", "l"), ("5", "s"), ("rn", "m"), ("vv", "w"))


def skeleton(name: str) -> str:
    """What is left of a name when letters that look alike are one. Two names with the same one look alike."""
    found = unicodedata.normalize("NFKC", name).casefold()
    for seen, meant in _LOOK:
        found = found.replace(seen, meant)
    return re.sub(r"[._@\s-]+", "", found)


def require_distinct(name: str) -> None:
    """Raises Invalid unless `name` is well formed and like no other person's here. Names of before stay as they are."""
    if not _SHAPE.fullmatch(name):
        raise Invalid.at(
            "username",
            "A user name has up to 64 of the letters a to z, digits and . _ @ -, and begins with a letter or digit.",
        )
    mine = skeleton(name)
    if not mine or mine in map(skeleton, _RESERVED):
        raise Invalid.at("username", f"{name} would be taken for lbftp itself.", "Choose another name.")

    for other in User.objects.order_by("pk").values_list("username", flat=True).iterator():
        if skeleton(other) == mine:
            raise Invalid.at("username", _taken(name, other), "Choose another name.")


def _taken(name: str, other: str) -> str:
    return "A person of this name is here already." if name == other else f"{name} looks like {other}, who is here."
