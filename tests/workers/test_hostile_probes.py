"""FTP servers and probe hosts that answer with anything: the session or the place ends with its reason, soon."""

from __future__ import annotations

import json
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbftp.core.job import Probe
from lbftp.core.observe.connections import entries
from lbftp.core.observe.errors import ObserveError
from lbftp.core.secrecy import known
from workers import ftp_sessions, here, rows
from workers.errors import WorkError
from workers.places import Place
from workers.proofs.traffic import Traffic
from workers.remote import Answer

PASSWORD = "Canary-ftp-password"
KIND = {"mode": "PASV", "tls": "none", "ip": 4, "address": "127.0.0.1"}
GREETING = b"220 ready\r\n"


@contextmanager
def ftp_server(say: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port where `say` has each connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def one(connection: socket.socket) -> None:
        with connection:
            try:
                say(connection)
            except OSError:
                return

    def serve() -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=one, args=[connection], daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def answers(passive: bytes) -> Callable[[socket.socket], None]:
    """A server that lets everybody in, and answers PASV and EPSV like that."""

    def say(connection: socket.socket) -> None:
        connection.sendall(GREETING)
        words = {
            b"USER": b"331 x\r\n",
            b"PASS": b"230 x\r\n",
            b"TYPE": b"200 x\r\n",
            b"PASV": passive,
            b"EPSV": passive,
        }
        with connection.makefile("rb") as lines:
            for line in lines:
                connection.sendall(words.get(line[:4].upper(), b"500 x\r\n"))

    return say


def endless(block: bytes) -> Callable[[socket.socket], None]:
    def say(connection: socket.socket) -> None:
        while True:
            connection.sendall(block)

    return say


def slow(connection: socket.socket) -> None:
    connection.sendall(b"220-x\r\n")
    while True:
        connection.sendall(b" and more\r\n")
        time.sleep(0.2)


def echoing(connection: socket.socket) -> None:
    connection.sendall(GREETING)
    with connection.makefile("rb") as lines:
        for line in lines:
            connection.sendall(
                b"331 x\r\n" if line.startswith(b"USER") else b"530 " + line.strip() + b" \x1b[31mis wrong\r\n"
            )


CASES: dict[str, tuple[str, Callable[[socket.socket], None], str]] = {
    "a line without an end": ("PASV", endless(b"x" * 65536), "the server's answer has no end"),
    "an answer without an end": ("PASV", endless(b"220-hello\r\n" * 4000), "the server's answer has no end"),
    "an answer that comes slowly": ("PASV", slow, "it had not ended after"),
    "an address that is none": ("PASV", answers(b"227 ok (999,999,999,999,255,255)\r\n"), ""),
    "a port above all": ("EPSV", answers(b"229 ok (|||99999|)\r\n"), "there is none above 65535"),
    "a port of many digits": (
        "EPSV",
        answers(b"229 ok (|||" + b"9" * 5000 + b"|)\r\n"),
        "an answer without an address",
    ),
    "a byte above all": ("PASV", answers(b"227 ok (127,0,0,1,9999999,9)\r\n"), "an answer without an address"),
    "the password": ("PASV", echoing, "530 PASS [secret] ␛[31mis wrong"),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("case", CASES)
def test_an_ftp_server_that_answers_with_anything_ends_its_own_session(case: str) -> None:
    mode, say, words = CASES[case]
    told: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    with ftp_server(say) as port, known([PASSWORD]):
        place = Place(Probe(None, (), "ftp", "x", PASSWORD), lambda text, s, on: here.run(text, seconds=s, on_line=on))
        kinds = [{**KIND, "mode": mode, "port": port}]
        (row,) = place.sessions([{"source": "", "kinds": kinds}], 1, 1, told.put)
    assert (row["ok"], row["place"]) == (False, "the worker")
    assert row["error"]
    shown = row["message"].replace("\x1b", "␛")
    assert words in shown
    assert len(shown) <= 500
    assert PASSWORD not in json.dumps(row)
    assert not told.empty()


STRANGE = [
    "[]",
    "7",
    "{}",
    "null",
    "NaN",
    '{"mode": NaN}',
    "[" * 100_000,
    '{"a":' * 50_000,
    "9" * 10_000,
    "Traceback (most recent call last):",
    "\x1b[31m",
    '{"seconds": 1e999}',
]


def answering(*lines: str, code: int = 0) -> Place:
    """A probe host that prints these lines, whatever it is asked."""

    def run(_program: str, _seconds: int, on_line: Callable[[str], None]) -> Answer:
        for line in lines:
            on_line(line)
        return Answer(code, b"", "")

    return Place(Probe(None, (), "ftp", "x", PASSWORD), run)


def good(**changes: Any) -> dict[str, Any]:
    kind = {**KIND, "port": 21}
    return {**ftp_sessions.row("", kind), "seconds": 0.5, **changes}


@pytest.mark.parametrize("line", STRANGE, ids=range(len(STRANGE)))
def test_a_probe_that_tells_anything_is_named_and_not_used(line: str) -> None:
    with pytest.raises(WorkError, match=r"^the worker: what came is not what lbftp's probe tells"):
        answering(line).sessions([{"source": "", "kinds": [{**KIND, "port": 21}]}], 1, 1, lambda _: None)
    with pytest.raises(WorkError, match=r"^p1: "):
        Traffic("p1").line(line)


ODD = [
    {"ok": "yes"}, {"ok": 1}, {"bytes": -1}, {"bytes": 2**70}, {"bytes": 1.5}, {"bytes": True}, {"message": None},
    {"times": []}, {"times": {"x": "y"}}, {"rates": {str(n): 1 for n in range(99)}}, {"seconds": -1}, {"reply": {}},
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_a_row_with_a_value_of_another_kind_is_none(odd: dict[str, Any]) -> None:
    asked = [{"source": "", "kinds": [{**KIND, "port": 21}]}]
    assert answering(json.dumps(good())).sessions(asked, 1, 1, lambda _: None)[0]["seconds"] == 0.5
    with pytest.raises(WorkError, match="the worker: "):
        answering(json.dumps(good(**odd))).sessions(asked, 1, 1, lambda _: None)


def test_a_session_that_nobody_asked_for_or_that_is_told_twice_is_refused() -> None:
    asked = [{"source": "", "kinds": [{**KIND, "port": 21}]}]
    for lines in ([json.dumps(good(port=22))], [json.dumps(good())] * 2):
        with pytest.raises(WorkError, match="nobody asked for"):
            answering(*lines).sessions(asked, 1, 1, lambda _: None)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_whatever_json_a_probe_sends_is_a_row_or_an_error_that_names_it(value: object) -> None:
    try:
        found = rows.read(json.dumps(value), {"a": "", "b": 0, "c": 0.0, "d": {}, "e": False}, "p1")
    except WorkError as error:
        found = {"named": str(error).startswith("p1: ")}
    assert found in ({"named": True}, {key: found.get(key) for key in "abcde"})


HEAD = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"


@pytest.mark.parametrize("expires", ["999999999999", "-5", "1e9", "٣", "9" * 5000, "0x10", ""])
def test_seconds_that_the_kernel_cannot_mean_are_no_connection(expires: str) -> None:
    line = f"TCP C0000201 C350 C0000264 0015 0A00320B 0015 ESTABLISHED {expires} - -"
    with pytest.raises(ObserveError, match="not a connection"):
        list(entries(f"{HEAD}{line}\n"))
    assert len(list(entries(HEAD + "TCP C0000201 C350 C0000264 0015 0A00320B 0015 ESTABLISHED 899\n"))) == 1
