"""What a router's commands complain of, in words that say what to do.

Sources: errno(3) for the C library's words; dash says "I/O error" for every write that fails, a full disk included.
"""

from __future__ import annotations

import re
from typing import Final

# A program's own file is its name in what the shell says: "/run/tmp.UJykEl5weS: 157: echo: …", bash with "line 157".
_PLACE: Final = re.compile(r"^/\S*/tmp\.\w+: (?:line )?\d+: ")
_WHAT_TO_DO: Final = tuple(
    (re.compile(said), advice)
    for said, advice in (
        ("No space left|I/O error", "See `df -h` and `df -i` there: a disk is full, or broken (`dmesg`)."),
        ("Read-only file system", "Something there is mounted read-only: see `dmesg` why, and make it writable."),
        ("xtables lock", "Another program there holds the lock of iptables: see `fuser -v /run/xtables.lock`."),
        (
            r"Module \S+ not found",
            "Install the kernel's package with this module there, or boot the kernel that has it.",
        ),
        ("keepalived refused the conf", "Correct that place, then plan again: no file was changed."),
        ("Cannot allocate memory", "See `free -m` there: its memory is used up."),
    )
)


def explained(said: str) -> str:
    """The last words of a command, as a sentence, with what to do about them where that is known."""
    plain = _PLACE.sub("", said)
    advice = next((advice for pattern, advice in _WHAT_TO_DO if pattern.search(plain)), "")
    return f"{sentence(plain)} {advice}".rstrip()


def sentence(said: str) -> str:
    """Words of a router's with a full stop, so that others can follow."""
    return said if said.endswith((".", ":", "!", "?")) else f"{said}."
