"""keepalived's lines into words, as its own parser cuts them (measured with 2.2.7, tests/core/test_keepalived_reading).

`#` and `!` begin a comment anywhere outside double quotes unless a backslash stands before them. A double quote begins
a word and ends it. `{` and `}` stand for themselves wherever they are outside quotes, so a line may hold several
statements. After `include` the rest of the line is a file name.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

INCLUDES: Final = frozenset({"include", "includer", "includem", "includew", "includeb", "includea", "includet"})

_SPECIAL: Final = re.compile(r'[!#"\\]')
_PIECE: Final = re.compile(r'"[^"]*"?|\$\{[^{}]*\}|[^"{}$]+|[{}$]')
_WORD: Final = re.compile(r'"([^"]*)"?|([^\s"]+)')
_ALTERNATIVES: Final = re.compile(r"\{([^{}]*)\}")
_MOST_PATTERNS: Final = 200


@dataclass(frozen=True, slots=True)
class Segment:
    """A statement's words, or a brace (`text` '{' or '}', no words). `comment` is the line comment just above."""

    words: tuple[str, ...]
    text: str
    line: int
    comment: str = ""
    unclosed: bool = False


def segments(text: str) -> Iterator[Segment]:
    """The statements and braces of a file, nothing included, replaced or left out."""
    comment = ""
    for number, raw in enumerate(text.split("\n"), 1):
        line, said = decomment(raw)
        if not line:
            comment = said
            continue
        yield from cut(line, number, comment)
        comment = ""


def decomment(raw: str) -> tuple[str, str]:
    """(the line without comment and outer space, the comment's text)."""
    line, start, quoted = raw.strip(), 0, False
    while found := _SPECIAL.search(line, start):
        at, start = found.start(), found.end()
        if found[0] == '"':
            quoted = not quoted
        elif found[0] == "\\":
            if not quoted and line[at + 1 : at + 2] in {"#", "!"}:
                line = line[:at] + line[at + 1 :]
            else:
                start += 1
        elif not quoted:
            return line[:at].strip(), line[at + 1 :].strip()
    return line, ""


def cut(line: str, number: int, comment: str = "") -> Iterator[Segment]:
    """The pieces of a line without comment."""
    rest = line
    while rest := rest.strip():
        if included := include_of(rest):
            yield Segment(included, rest, number, comment)
            return
        piece, brace, rest = _to_brace(rest)
        if words := tuple(_words(piece)):
            yield Segment(words, piece.strip(), number, comment, unclosed=piece.count('"') % 2 == 1)
            comment = ""
        if brace:
            yield Segment((), brace, number)


def include_of(line: str) -> tuple[str, str] | None:
    """(keyword, file name) if the line includes: the name is all that follows, quotes and braces with it."""
    word, _, rest = line.partition(" ") if " " in line else line.partition("\t")
    return (word.strip(), rest.strip()) if word.strip() in INCLUDES and rest.strip() else None


def _to_brace(line: str) -> tuple[str, str, str]:
    """(what comes before the first brace outside quotes and `${…}`, the brace, what comes after)."""
    for found in _PIECE.finditer(line):
        if found[0] in {"{", "}"}:
            return line[: found.start()], found[0], line[found.end() :]
    return line, "", ""


def _words(piece: str) -> Iterator[str]:
    return (found[1] if found[1] is not None else found[2] for found in _WORD.finditer(piece))


def matches(pattern: str, path: str, folder: str) -> bool:
    """Whether the file name of an include, relative to `folder`, means `path` (glob(7) with braces)."""
    return any(_glob(posixpath.normpath(posixpath.join(folder, p)), path) for p in _braces(pattern))


def _braces(pattern: str) -> list[str]:
    """csh's alternatives written out, innermost first; too many of them are left as they stand."""
    found = [pattern]
    while any(_ALTERNATIVES.search(p) for p in found) and len(found) < _MOST_PATTERNS:
        found = [q for p in found for q in _innermost(p)]
    return found[:_MOST_PATTERNS]


def _innermost(pattern: str) -> list[str]:
    group = _ALTERNATIVES.search(pattern)
    if not group:
        return [pattern]
    return [pattern[: group.start()] + word + pattern[group.end() :] for word in group[1].split(",")]


def _glob(pattern: str, path: str) -> bool:
    """No wildcard means a slash, or a dot at the beginning of a name."""
    wanted, names = pattern.split("/"), path.split("/")
    return len(wanted) == len(names) and all(
        fnmatch.fnmatchcase(name, part) and (not name.startswith(".") or part.startswith("."))
        for part, name in zip(wanted, names, strict=True)
    )
