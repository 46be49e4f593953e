"""What checkpoints hold for a manager, read in one go: lines "LENGTH NAME", an empty line, then the contents."""

from __future__ import annotations

from collections.abc import Sequence

from lbftp.core.ours import CHECKPOINTS, checked_name


def read_program(names: Sequence[str]) -> str:
    """The program that prints the records of the checkpoints `names`; one that has none is left out."""
    words = " ".join(checked_name(name) for name in names)
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
