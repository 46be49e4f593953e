"""What lets somebody in once: drawn by the system's generator, shown once, kept as a hash.

They carry 100 bits and more, so a plain hash cannot be searched and no slow one is needed.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

# Crockford's: no letter that looks like a digit.
_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_GROUPS: Final = 4
_GROUP: Final = 5
_LOOK: Final = str.maketrans("OIL", "011")


def code() -> str:
    """A code for people to type, such as 7Q2KD-….  100 bits."""
    groups = ["".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS)]
    return "-".join(groups)


def token() -> str:
    """A part of a link. 192 bits."""
    return secrets.token_urlsafe(24)


def code_hash(typed: str) -> str:
    """The hash of a code, however it was typed: case, spaces, dashes and O for 0 do not matter."""
    plain = "".join(typed.upper().split()).replace("-", "").translate(_LOOK)
    return token_hash(plain)


def token_hash(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
