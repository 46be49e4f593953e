"""What browsers do on kept connections, done many times: each series tells how many requests got no answer."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

# An answer that takes so long is none.
PATIENCE = 20.0
ICON = "/static/lbftp/icon.svg"
# What a visitor without an account can ask for; what comes first may set context variables, what comes second inherits.
PAIRS = ((ICON, "/sign-in/"), ("/sign-in/", "/sign-in/"), ("/healthz", "/sign-in/"), ("/sign-in/", "/healthz"))


@dataclass
class Door:
    """Where the site listens, and the session of somebody who is signed in ('' for a stranger)."""

    port: int
    session: str = ""

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def request(self, path: str, *more: str, method: str = "GET") -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", *more]
        if self.session:
            lines.append(f"Cookie: sessionid={self.session}")
        return "\r\n".join([*lines, "", ""]).encode()


@dataclass
class Series:
    """What came of it. `unanswered` are numbers of tries."""

    asked: int = 0
    unanswered: list[int] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, number: int, *, answered: bool) -> None:
        with self._lock:
            self.asked += 1
            if not answered:
                self.unanswered.append(number)


def many(times: int, one: Callable[[int], bool], at_once: int = 4) -> Series:
    """`one(number)` tells whether all its requests were answered. Ends early once ten were not: the site hangs."""
    series = Series()
    numbers = iter(range(times))

    def work() -> None:
        while len(series.unanswered) < 10:
            with series._lock:
                number = next(numbers, None)
            if number is None:
                return
            try:
                answered = one(number)
            except OSError:
                answered = False
            series.note(number, answered=answered)

    threads = [threading.Thread(target=work) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return series


def pipelined(door: Door, times: int, pairs: tuple[tuple[str, str], ...] = PAIRS) -> Series:
    """Two requests in one packet, as many times."""

    def one(number: int) -> bool:
        first, second = pairs[number % len(pairs)]
        with door.connect() as connection:
            connection.sendall(door.request(first) + door.request(second))
            return read_answers(connection, 2)

    return many(times, one)


def after_not_modified(door: Door, times: int, page: str = "/sign-in/") -> Series:
    """A browser that has the file already (304), and asks for a page before that answer's end is dealt with."""
    with door.connect() as connection:
        connection.sendall(door.request(ICON, "Connection: close"))
        found = re.search(rb"(?im)^etag: *(\S+)", everything(connection))
    assert found, "the icon has no ETag"
    known = f"If-None-Match: {found[1].decode()}"

    def one(number: int) -> bool:
        with door.connect() as connection:
            connection.sendall(door.request(ICON, known))
            if number % 2:
                # Half of them wait for the first bytes of the 304, and no longer.
                if not connection.recv(1).startswith(b"H"):
                    return False
                connection.sendall(door.request(page))
                return read_answers(connection, 2, b"H")
            connection.sendall(door.request(page))
            return read_answers(connection, 2)

    return many(times, one)


def aborted(door: Door, times: int, path: str = "/sign-in/") -> Series:
    """Requests whose sender is gone before the answer: reset, half closed, or in the middle of a body. One that was
    not aborted, after each, has to be answered."""

    def one(number: int) -> bool:
        with door.connect() as connection:
            _go_away(connection, door, number % 4, path)
        with door.connect() as connection:
            connection.sendall(door.request("/healthz", "Connection: close"))
            return read_answers(connection, 1)

    return many(times, one)


def _go_away(connection: socket.socket, door: Door, how: int, path: str) -> None:
    with suppress(OSError):
        if how == 3:
            connection.sendall(door.request(path, "Content-Length: 1000", method="POST") + b"half of it")
        else:
            connection.sendall(door.request(path) * (2 if how == 2 else 1))
        if how == 1:
            connection.shutdown(socket.SHUT_WR)
        else:
            # Closing sends a reset and no FIN.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def read_answers(connection: socket.socket, wanted: int, begun: bytes = b"") -> bool:
    """Whether so many whole answers came, each with a status below 500."""
    got = begun
    left = wanted
    while left:
        whole = _first(got)
        if whole is None:
            data = connection.recv(65536)
            if not data:
                return False
            got += data
            continue
        if int(got.split(b" ", 2)[1]) >= 500:
            return False
        got = got[whole:]
        left -= 1
    return True


def _first(got: bytes) -> int | None:
    """How many bytes the first answer has; None while it is not all there."""
    head, separator, body = got.partition(b"\r\n\r\n")
    if not separator:
        return None
    length = re.search(rb"(?im)^content-length: *(\d+)", head)
    size = len(head) + 4
    if b" 304 " in head.split(b"\r\n", 1)[0]:
        return size
    if length is not None:
        size += int(length[1])
        return size if len(got) >= size else None
    end = body.find(b"0\r\n\r\n") if b"chunked" in head.lower() else -1
    return None if end < 0 else size + end + 5


def everything(connection: socket.socket) -> bytes:
    got = b""
    while data := connection.recv(65536):
        got += data
    return got
