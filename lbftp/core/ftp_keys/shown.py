"""Differences of servers' own files as people see them, and as they are stored: the lines that change and, beside them,
lines that can hold no secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import Match, SequenceMatcher
from typing import Final

from lbftp.core.ftp.daemons import named
from lbftp.core.ftp.editing import Edit
from lbftp.core.plan import Change

HIDDEN: Final = "(a line that is not shown: it might hold a secret)"
_AROUND: Final = 2
# Above that many pairs of lines between the first change and the last, a difference may be longer than it has to be.
_PAIRS: Final = 250_000
_SECRET: Final = re.compile(
    r"pass(?!ive)|secret|sql|ldap|radius|redis|auth|cred|token|key|login|crypt|\bpw|\bpin\b|dsn|://|\$[0-9a-z]+\$",
    re.IGNORECASE,
)


def difference(daemon: str, edit: Edit) -> Change:
    """`before` and `after` of it are only the lines that go and come."""
    rows = list(_rows(daemon, (edit.before or "").splitlines(), edit.after.splitlines()))
    gone = "".join(f"{row[1:]}\n" for row in rows if row.startswith("-"))
    come = "".join(f"{row[1:]}\n" for row in rows if row.startswith("+"))
    return Change(edit.path, None if edit.before is None else gone, come, "\n".join(["--- now", "+++ after", *rows]))


def _rows(daemon: str, old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """A unified difference without its two first lines. Whatever may hold a secret is hidden, also in lines that come
    and go: the difference of a very long file may name lines that stay."""
    for group in _Kept(daemon, old, new).get_grouped_opcodes(_AROUND):
        (_, a, _, b, _), (_, _, c, _, d) = group[0], group[-1]
        yield f"@@ -{a + 1},{c - a} +{b + 1},{d - b} @@"
        for tag, i, j, k, m in group:
            if tag == "equal":
                yield from (f" {_masked(daemon, line)}" for line in old[i:j])
            else:
                yield from (f"-{_masked(daemon, line)}" for line in old[i:j])
                yield from (f"+{_masked(daemon, line)}" for line in new[k:m])


def _masked(daemon: str, line: str) -> str:
    return line if harmless(daemon, line) else HIDDEN


def harmless(daemon: str, line: str) -> bool:
    """Whether a line may be shown."""
    plain, settings = line.strip(), named(daemon).settings
    if not plain or _option(plain) in settings.options:
        return True
    known = settings.harmless
    if known is not None and not plain.startswith(("#", "<")):
        return _option(plain) in known
    return not _SECRET.search(plain)


def _option(line: str) -> str:
    return re.split(r"[=:\s]", line.strip().lower(), maxsplit=1)[0]


class _Kept(SequenceMatcher[str]):
    """Matches every line that is not of an option of ours with itself: those all stay, in their order, so no alignment
    can weigh more than one in which none of them comes or goes. difflib's own is not the shortest."""

    def __init__(self, daemon: str, old: Sequence[str], new: Sequence[str]) -> None:
        super().__init__(None, old, new, autojunk=False)
        self._old, self._new = old, new
        own = named(daemon).settings.options
        self._weights = [1 if _option(line) in own else len(old) + 1 for line in old]

    def get_matching_blocks(self) -> list[Match]:
        old, new = self._old, self._new
        start = _common(old, new)
        end = min(_common(old[::-1], new[::-1]), len(old) - start, len(new) - start)
        rows, columns = len(old) - start - end, len(new) - start - end
        if rows * columns > _PAIRS:
            return super().get_matching_blocks()
        pairs = [Match(start + i, start + j, 1) for i, j in self._heaviest(start, rows, columns)]
        tail = Match(len(old) - end, len(new) - end, end)
        return [*_joined([Match(0, 0, start), *pairs, tail]), Match(len(old), len(new), 0)]

    def _heaviest(self, start: int, rows: int, columns: int) -> Iterator[tuple[int, int]]:
        """The pairs of equal lines, in order, that weigh most together (longest common subsequence, weighted)."""
        best = [[0] * (columns + 1) for _ in range(rows + 1)]
        for i in range(rows - 1, -1, -1):
            for j in range(columns - 1, -1, -1):
                same = self._old[start + i] == self._new[start + j]
                taken = best[i + 1][j + 1] + self._weights[start + i] if same else 0
                best[i][j] = max(taken, best[i + 1][j], best[i][j + 1])
        i = j = 0
        while i < rows and j < columns:
            if best[i][j] == best[i + 1][j]:
                i += 1
            elif best[i][j] == best[i][j + 1]:
                j += 1
            else:
                yield i, j
                i, j = i + 1, j + 1


def _joined(blocks: Sequence[Match]) -> list[Match]:
    """Blocks that touch each other as one, without empty ones."""
    found: list[Match] = []
    for block in blocks:
        last = found[-1] if found else Match(0, 0, 0)
        if found and (last.a + last.size, last.b + last.size) == (block.a, block.b):
            found[-1] = Match(last.a, last.b, last.size + block.size)
        elif block.size:
            found.append(block)
    return found


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    return next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
