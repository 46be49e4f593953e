"""What a machine sends, within bounds: an answer without an end may not fill this manager's memory or take its time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from workers.errors import TooMuch

# Bytes. The largest answer is a look at a router, whose foreign rules may be many.
MOST_BYTES: Final = 32 * 1024 * 1024
# Complaints are read by people.
MOST_WORDS: Final = 1024 * 1024
MOST_LINE: Final = 1024 * 1024

OnLine = Callable[[str], None]


class Reading:
    """One answer of one machine as it comes. `on_line` gets each whole line of standard output.

    Raises TooMuch as soon as a bound is passed: whoever reads has to close the connection then.
    """

    def __init__(self, name: str, on_line: OnLine | None = None) -> None:
        self._name, self._on_line = name, on_line
        self._out, self._err, self._line = bytearray(), bytearray(), bytearray()

    def out(self, data: bytes) -> None:
        if len(self._out) + len(data) > MOST_BYTES:
            raise _too_much(self._name, f"more than {MOST_BYTES >> 20} MiB in one answer")
        self._out += data
        if self._on_line:
            self._tell(data, self._on_line)

    def err(self, data: bytes) -> None:
        if len(self._err) + len(data) > MOST_WORDS:
            raise _too_much(self._name, f"more than {MOST_WORDS >> 20} MiB of error messages")
        self._err += data

    def end(self) -> tuple[bytes, str]:
        """(standard output, what was complained of). A last line without its end counts as one."""
        if self._on_line and self._line:
            self._on_line(_text(self._line))
        return bytes(self._out), _text(self._err)

    def _tell(self, data: bytes, on_line: OnLine) -> None:
        """Each byte is looked at once, however long a line is and in however many pieces it comes."""
        first, *others = data.split(b"\n")
        self._grow(first)
        for piece in others:
            line, self._line = self._line, bytearray()
            on_line(_text(line))
            self._grow(piece)

    def _grow(self, piece: bytes) -> None:
        self._line += piece
        if len(self._line) > MOST_LINE:
            raise _too_much(self._name, f"a line of more than {MOST_LINE >> 20} MiB")


def _text(data: bytearray) -> str:
    return data.decode("utf-8", "replace")


def _too_much(name: str, what: str) -> TooMuch:
    return TooMuch(
        f"{name}: it sent {what}, and the connection was closed. Log in there and see what prints without an end "
        "(a shell's start files, a wrapper around a command), then start it again."
    )
