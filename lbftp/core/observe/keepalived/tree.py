"""The main file with everything it includes -> blocks. Raises ObserveError, and nothing else, on any text.

Definitions (`$NAME=…`), conditions (`@name …`) and `~SEQ` lines are carried out as keepalived.conf(5) describes them.
What could not be carried out, or depends on how keepalived was started, is a remark.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.keepalived import lexer
from lbftp.core.observe.keepalived.lexer import Segment

_DEFINITION: Final = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_USE: Final = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*)(?=\s|$))")
_SEQUENCE: Final = re.compile(r"~SEQ(x?)\(\s*(\w+)\s*((?:,\s*-?(?:0x)?[0-9A-Fa-f]{1,8}\s*){1,3})\)\s*(.*)", re.DOTALL)
_DEEPEST: Final = 32
_MOST_LINES: Final = 200_000
# Lines that definitions and sequences make of others.
_MOST_MADE: Final = 5_000
_LONGEST_LINE: Final = 100_000
_MOST_CHARACTERS: Final = 5_000_000
_MOST_STEPS: Final = 4096


@dataclass(frozen=True, slots=True)
class Block:
    """A statement: its words, and what its braces hold. `comment` is the comment line just above it.

    A statement without braces has `braces` false and no children. Where it stands does not make it another one.
    """

    words: tuple[str, ...]
    children: tuple[Block, ...] = ()
    braces: bool = False
    line: int = field(default=0, compare=False)
    file: str = field(default="", compare=False)
    comment: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        return self.words[0]

    @property
    def text(self) -> str:
        """The statement's own line, for people."""
        return " ".join(self.words) + (" {…}" if self.braces else "")


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that a reader of the configuration should know: where, and what."""

    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Config:
    """Everything at the top level, and the files that were read, in their order."""

    blocks: tuple[Block, ...]
    files: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def named(self, name: str) -> Iterator[Block]:
        return (block for block in self.blocks if block.name == name)


def read(files: Mapping[str, str | None], main: str, config_id: str = "") -> Config:
    """The configuration that begins with the file `main`; `files` are those known, None for one that is absent.

    `config_id` is what conditions compare with: the first part of the router's host name, unless keepalived was started
    with another (-i).
    """
    reader = _Reader(files, config_id)
    builder = _Builder()
    for file, segment in reader.file(main):
        builder.take(file, segment)
    return Config(builder.done(), tuple(reader.read), tuple(reader.remarks))


@dataclass(slots=True)
class _Reader:
    """Lines of all files in the order in which they count, conditions and definitions carried out."""

    files: Mapping[str, str | None]
    config_id: str
    values: dict[str, str] = field(default_factory=dict)
    stack: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    lines: int = 0
    characters: int = 0
    made: int = 0

    def file(self, path: str) -> Iterator[tuple[str, Segment]]:
        text = self.files.get(path)
        if text is None:
            raise ObserveError(path, "does not exist or was not read")
        if path in self.stack or len(self.stack) >= _DEEPEST:
            raise ObserveError(path, "includes itself")
        self.stack.append(path)
        self.read.append(path)
        for number, line, comment in _logical(text):
            yield from self.line(path, number, line, comment)
        self.stack.pop()

    def line(self, path: str, number: int, line: str, comment: str, depth: int = 0) -> Iterator[tuple[str, Segment]]:
        """What one line comes to: nothing, statements and braces, or another file."""
        self._count(path, line, depth)
        if included := lexer.include_of(line):
            yield from self.include(path, number, included[1])
        elif found := _DEFINITION.fullmatch(line):
            self.values[found[1]] = found[2].strip()
        elif line.startswith("@"):
            yield from self.condition(path, number, line, comment, depth)
        elif line.startswith("~"):
            yield from self.sequence(path, number, line, comment, depth)
        else:
            yield from self.plain(path, number, line, comment, depth)

    def plain(self, path: str, number: int, line: str, comment: str, depth: int) -> Iterator[tuple[str, Segment]]:
        if sum(len(self._value(path, use)) for use in _USE.finditer(line)) > _LONGEST_LINE:
            raise ObserveError(path, f"line {number} becomes too long by its definitions")
        replaced = _USE.sub(lambda use: self._value(path, use), line)
        if replaced != line:
            for part in replaced.split("\n"):
                if part.strip():
                    yield from self.line(path, number, part.strip(), comment, depth + 1)
            return
        for segment in lexer.cut(line, number, comment):
            if included := lexer.include_of(segment.text):
                yield from self.include(path, number, included[1])
            else:
                self._look_at(path, segment)
                yield path, segment

    def include(self, path: str, number: int, pattern: str) -> Iterator[tuple[str, Segment]]:
        folder = posixpath.dirname(path)
        there = sorted(f for f, text in self.files.items() if text is not None and lexer.matches(pattern, f, folder))
        if not there:
            self.remarks.append(Remark(path, number, f"includes {pattern}, of which no file was read"))
        for name in there:
            yield from self.file(name)

    def condition(self, path: str, number: int, line: str, comment: str, depth: int) -> Iterator[tuple[str, Segment]]:
        word, *rest = line.split(maxsplit=1)
        self.remarks.append(Remark(path, number, f"counts only where keepalived's id fits {word}"))
        if (word.lstrip("@").removeprefix("^") == self.config_id) != word.startswith("@^") and rest:
            yield from self.line(path, number, rest[0].strip(), comment, depth + 1)

    def sequence(self, path: str, number: int, line: str, comment: str, depth: int) -> Iterator[tuple[str, Segment]]:
        found = _SEQUENCE.fullmatch(line)
        steps = _steps(found[3]) if found else None
        if found is None or steps is None:
            self.remarks.append(Remark(path, number, f"is not carried out: {line[:60]}"))
            return
        for value in steps:
            self.values[found[2]] = f"{value:x}" if found[1] else str(value)
            yield from self.line(path, number, found[4].strip(), comment, depth + 1)
        self.values.pop(found[2], None)

    def _value(self, path: str, use: re.Match[str]) -> str:
        """A definition that nobody made stays as it is written."""
        name = use[1] or use[2]
        own = {"_PWD": posixpath.dirname(path), "_INSTANCE": self.config_id, "_HASH": "#", "_BANG": "!"}
        return self.values.get(name, own.get(name, use[0]))

    def _look_at(self, path: str, segment: Segment) -> None:
        if segment.unclosed:
            self.remarks.append(Remark(path, segment.line, "has an open quote"))

    def _count(self, path: str, line: str, depth: int) -> None:
        self.lines += 1
        self.characters += len(line)
        self.made += depth > 0
        most = self.lines > _MOST_LINES or self.made > _MOST_MADE or self.characters > _MOST_CHARACTERS
        if most or len(line) > _LONGEST_LINE or depth > _DEEPEST:
            raise ObserveError(path, f"is too long, or becomes so by its definitions: {line[:60]!r}")


def _logical(text: str) -> Iterator[tuple[int, str, str]]:
    """(number, line without comment, comment above); the lines of a definition's value come as one."""
    comment, begun, start = "", "", 0
    for number, raw in enumerate(text.split("\n"), 1):
        line, said = lexer.decomment(raw)
        first = number
        if begun or (line.startswith("$") and line.endswith("\\")):
            start = start or number
            begun += ("\n" if begun else "") + line.removesuffix("\\").strip()
            if line.endswith("\\"):
                continue
            # What was put together stands at the line that began it.
            line, first, begun, start = begun, start, "", 0
        if line:
            yield first, line, comment
        comment = "" if line else said
    if begun:
        yield start, begun, comment


def _steps(numbers: str) -> range | None:
    """`, start, step, end` with the first two left out as keepalived.conf(5) allows; None if it has no end."""
    try:
        given = [int(n.strip(), 0) for n in numbers.split(",")[1:]]
    except ValueError:
        return None
    end = given[-1]
    start = given[0] if len(given) > 1 else (1 if end > 0 else -1)
    step = given[1] if len(given) == 3 else (1 if end >= start else -1)
    if step == 0 or abs((end - start) // step) > _MOST_STEPS:
        return None
    return range(start, end + (1 if step > 0 else -1), step)


@dataclass(slots=True)
class _Open:
    head: tuple[str, Segment]
    children: list[Block] = field(default_factory=list)


@dataclass(slots=True)
class _Builder:
    """Statements and braces into blocks. A brace on a line of its own belongs to the statement before it."""

    top: list[Block] = field(default_factory=list)
    opened: list[_Open] = field(default_factory=list)
    waiting: tuple[str, Segment] | None = None

    def take(self, file: str, segment: Segment) -> None:
        if segment.words:
            self._flush()
            self.waiting = (file, segment)
        elif segment.text == "{":
            if self.waiting is None:
                raise ObserveError(file, f"line {segment.line}: a brace opens nothing")
            if len(self.opened) >= _DEEPEST:
                raise ObserveError(file, f"line {segment.line}: blocks are nested too deep")
            self.opened.append(_Open(self.waiting))
            self.waiting = None
        else:
            self._flush()
            self._close(file, segment.line)

    def done(self) -> tuple[Block, ...]:
        self._flush()
        if self.opened:
            where, head = self.opened[-1].head
            raise ObserveError(where, f"line {head.line}: {' '.join(head.words)[:60]!r} is never closed")
        return tuple(self.top)

    def _here(self) -> list[Block]:
        return self.opened[-1].children if self.opened else self.top

    def _flush(self) -> None:
        if self.waiting is not None:
            file, segment = self.waiting
            self._here().append(Block(segment.words, (), False, segment.line, file, segment.comment))
            self.waiting = None

    def _close(self, file: str, line: int) -> None:
        if not self.opened:
            raise ObserveError(file, f"line {line}: a brace closes nothing")
        closed = self.opened.pop()
        where, head = closed.head
        block = Block(head.words, tuple(closed.children), True, head.line, where, head.comment)
        self._here().append(block)
