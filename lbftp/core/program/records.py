"""What checkpoints hold for a manager, read in one go: lines "LENGTH NAME", an empty line, then the contents."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from lbftp.core.ours import CHECKPOINTS

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,99}")


def read_program(names: Sequence[str]) -> str:
    """The program that prints the records of the checkpoints `names`; one that has none is left out."""
    if bad := [name for name in names if not _NAME.fullmatch(name)]:
        raise ValueError(f"{bad[0][:40]!r} is not a name")
    words = " ".join(names)
    each = f'for name in {words}; do [ ! -e "$name/record" ] ||'
    return f"""cd {CHECKPOINTS} || exit 0
{each} echo "$(wc -c <"$name/record") $name"; done
echo
{each} cat "$name/record"; done
"""


def records(answer: bytes) -> dict[str, str]:
    """Checkpoint -> its record's text. An answer that was cut off ends with the last whole one."""
    head, _, body = answer.partition(b"\n\n")
    found: dict[str, str] = {}
    for line in head.decode("ascii", "replace").splitlines():
        length, _, name = line.strip().partition(" ")
        if not length.isascii() or not length.isdigit() or len(body) < int(length):
            break
        found[name], body = body[: int(length)].decode("utf-8", "replace"), body[int(length) :]
    return found
