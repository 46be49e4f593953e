"""What the editors of all daemons share: options with the values that they need, and words that
are safe in a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

# Option as the daemon spells it -> its value, None for one that must not be there.
Wanted = Mapping[str, str | None]

# Findings that every daemon's editor puts right: what PASV names, and which ports passive
# connections use.
ADDRESS_CODES: Final = frozenset({"ftpd-pasv-address", "ftpd-pasv-missing", "ftpd-pasv-ipv6", "ftpd-pasv-name"})
RANGE_CODES: Final = frozenset({"ftpd-passive-range", "ftpd-passive-part"})

_OPTION: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,40}")
_VALUE: Final = re.compile(r"[A-Za-z0-9.:]{1,40}( [A-Za-z0-9.:]{1,40})?")
# What splits lines elsewhere than at a line feed: a file with one of these is not edited.
_ODD: Final = re.compile("[\0\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Edit:
    """One file; `before` None: it is not there yet. Both may hold passwords, and stay in the
    worker.
    """

    path: str
    before: str | None = field(repr=False)
    after: str = field(repr=False)


class Unsettable(Exception):
    """An option cannot be set by a program here; the message is the reason, as the end of a
    sentence.
    """


def checked(wanted: Wanted) -> Wanted:
    """`wanted`, in which nothing can end a line or begin another option. Raises ValueError."""
    for option, value in wanted.items():
        if not _OPTION.fullmatch(option) or (value is not None and not _VALUE.fullmatch(value)):
            raise ValueError(f"{option[:40]!r} cannot be set to {(value or '')[:40]!r}")
    return wanted


def plain(text: str) -> str:
    """`text`, whose lines end in line feeds and nothing else. Raises Unsettable."""
    if _ODD.search(text):
        raise Unsettable("the file has carriage returns or other characters that are no plain text")
    return text


def appended(text: str, line: str) -> str:
    """`text` with `line` at its end; a last line that had no end gets one."""
    return f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{line}\n"


def with_options(text: str, need: Wanted, sets: Callable[[str, str], bool], between: str) -> str:
    """`text` with these options, where `sets` says whether a line sets an option. Of several
    lines for one the last is the one that is set; one that must not be there goes with all its
    lines. Raises Unsettable."""
    lines, more = plain(text).split("\n"), []
    for option, value in checked(need).items():
        found = [number for number, line in enumerate(lines) if sets(line, option)]
        if value is None:
            lines = [line for number, line in enumerate(lines) if number not in found]
        elif found:
            lines[found[-1]] = f"{option}{between}{value}"
        else:
            more.append(f"{option}{between}{value}")
    after = "\n".join(lines)
    for line in more:
        after = appended(after, line)
    return after
