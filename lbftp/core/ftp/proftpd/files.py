"""Which files ProFTPD reads, and what they come to together: includes are put in where they are
named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from lbftp.core.observe.errors import ObserveError

_INCLUDE: Final = re.compile(r"""\s*include\s+["']?([^"'\s]+)["']?\s*""", re.IGNORECASE)
_DEEPEST: Final = 8


@dataclass(frozen=True, slots=True)
class Line:
    """One line with its end, and where it stands: the file and the line's number there, from 0."""

    path: str
    number: int
    text: str


def proftpd_lines(config: str, files: Mapping[str, str]) -> list[Line]:
    """proftpd.conf with everything that it includes in place. Includes of files that are not
    known stay as they are.
    """
    return list(_expanded(config, files, 0))


def _expanded(path: str, files: Mapping[str, str], depth: int) -> Iterator[Line]:
    if depth > _DEEPEST:
        raise ObserveError("proftpd.conf", f"{path[:80]} is included by itself")
    lines = files[path].splitlines(keepends=True) if "\x0b" not in files[path] else re.split(r"(?<=\n)", files[path])
    for number, text in enumerate(lines):
        match = _INCLUDE.fullmatch(text)
        found = _included(match[1], files) if match else None
        if found is None:
            yield Line(path, number, text if text.endswith("\n") else f"{text}\n")
            continue
        for name in found:
            yield from _expanded(name, files, depth + 1)


def _included(pattern: str, files: Mapping[str, str]) -> list[str] | None:
    """The files that an Include names, sorted as ProFTPD reads them; None if it names a place
    that was not read.
    """
    if not pattern.startswith(("/etc/proftpd/", "/etc/proftpd.d/")):
        return [pattern] if pattern in files else None
    folder = pattern.rstrip("/")
    inside = [path for path in files if path.rpartition("/")[0] == folder]
    return sorted(inside or (path for path in files if _matches(path, pattern)))


def _matches(path: str, pattern: str) -> bool:
    return path.count("/") == pattern.count("/") and fnmatchcase(path, pattern)
