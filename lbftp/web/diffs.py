"""Unified differences as rows for a table: line numbers of both sides, and which part of a changed line changed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_HUNK: Final = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `kind`: add, del, same or hunk; the text is `head` + `changed` + `tail`; None: no line on that side."""

    kind: str
    old: int | None
    new: int | None
    head: str
    changed: str = ""
    tail: str = ""

    @property
    def sign(self) -> str:
        return {"add": "+", "del": "\N{MINUS SIGN}"}.get(self.kind, "")


def rows(text: str) -> list[Row]:
    """The rows of a unified diff; the two lines that name the files are left out."""
    found: list[Row] = []
    old = new = 0
    for line in text.splitlines():
        if hunk := _HUNK.match(line):
            old, new = int(hunk[1]), int(hunk[2])
            if max(old, new) > 1:  # else nothing is left out above, and the line would only be noise
                found.append(Row("hunk", None, None, line))
        elif line.startswith(("--- ", "+++ ")) and not old and not new:
            continue
        elif line.startswith("+"):
            found.append(Row("add", None, new or None, line[1:]))
            new += 1
        elif line.startswith("-"):
            found.append(Row("del", old or None, None, line[1:]))
            old += 1
        elif not line.startswith("\\"):
            found.append(Row("same", old or None, new or None, line[1:]))
            old, new = old + 1, new + 1
    return _marked(found)


def tally(text: str) -> tuple[int, int]:
    """How many lines are added and removed."""
    kinds = [row.kind for row in rows(text)]
    return kinds.count("add"), kinds.count("del")


def _marked(found: list[Row]) -> list[Row]:
    """Blocks of as many removed as added lines are pairs: mark what differs within each pair."""
    result = list(found)
    at = 0
    while at < len(found):
        gone = _length(found, at, "del")
        come = _length(found, at + gone, "add")
        if gone and gone == come:
            for one in range(at, at + gone):
                result[one], result[one + gone] = _pair(found[one], found[one + gone])
        at += max(gone + come, 1)
    return result


def _length(found: list[Row], start: int, kind: str) -> int:
    length = 0
    while start + length < len(found) and found[start + length].kind == kind:
        length += 1
    return length


def _pair(gone: Row, come: Row) -> tuple[Row, Row]:
    a, b = gone.head, come.head
    head = _common(a, b)
    tail = min(_common(a[::-1], b[::-1]), len(a) - head, len(b) - head)
    if head + tail < max(len(a), len(b)) / 3:
        return gone, come  # hardly alike: marks would only be noise
    return (
        Row("del", gone.old, None, a[:head], a[head : len(a) - tail], a[len(a) - tail :]),
        Row("add", None, come.new, b[:head], b[head : len(b) - tail], b[len(b) - tail :]),
    )


def _common(a: str, b: str) -> int:
    length = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        length += 1
    return length
