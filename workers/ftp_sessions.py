"""Real FTP sessions from a probe host. This file's text is sent there and run by its Python 3 (3.7 or later).

It imports nothing of ours. Behind it stands a call of `main` with the job: username, password, path (of a file to
fetch, '': none), timeout, `upload` (None, or {folder, name, bytes}: each session puts a file of that many bytes there,
fetches it again, compares, and deletes it), and `clients`: each has a source address ('': any) and the `kinds` of its
sessions: mode (RFC 959: PASV, PORT; RFC 2428: EPSV, EPRT), tls ('none', 'explicit': RFC 4217, 'implicit'), ip (4, 6),
address and port to log in to.

A session obeys the address in the 227 answer as simple clients do; with TLS, data connections take up the control
connection's TLS session, which servers may insist on. Certificates are reported and not verified: what is proven here
is the way of the packets. One JSON line a session goes to standard output: `row` says what is in it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import socket
import ssl
import sys
import threading
import time
from typing import Any, BinaryIO

_PRINT = threading.Lock()
# X.520 attribute types, DER: 2.5.4.x.
_NAMES = {b"\x55\x04\x03": "CN", b"\x55\x04\x0a": "O", b"\x55\x04\x0b": "OU"}
# Seconds to wait for what a server says of a data connection that broke, and for each step of tidying up.
_SHORT = 3
# Bytes of one answer on the control connection, and how much of one is told.
_MOST_ANSWER = 64 * 1024
_MOST_TOLD = 500


def row(source: str, kind: dict[str, Any]) -> dict[str, Any]:
    """What is told of one session.

    `stage` is the command that failed, `command` and `reply` the last ones on the control connection, `error` the sort
    of failure: '' none, 'reply' (the server refused), 'refused', 'timeout', 'reset', 'closed', 'unreachable', 'tls',
    'checksum', 'local' (this machine could not even begin), 'other'. `control` and `data` (the last data connection)
    say who connected to whom, 'ADDRESS:PORT > ADDRESS:PORT'; `client`, `client_port` are the control connection's near
    end, `data_client_port` that of a passive data connection, `told` and `told_port` what the server told for it,
    `data_from` the data connection's far end. `certificate`, `protocol`: TLS.

    `times` in seconds: connect (TCP), login (greeting to logged in), first_byte (of the last file, from asking for the
    data connection on); `rates` in bytes per second: down (of the larger file), up. What was not come to is missing.
    `left`: a file that could not be deleted, '' if none.
    """
    told: dict[str, Any] = {name: kind[name] for name in ("mode", "tls", "ip", "address", "port")}
    told.update(source=source, ok=False, stage="connect", error="", message="", command="", reply="")
    told.update(control=f"{end(source)} > {end(kind['address'], kind['port'])}", data="", data_from="")
    told.update(client="", client_port=0, data_client_port=0, told="", told_port=0, certificate="", protocol="")
    told.update(bytes=0, sha256="", times={}, rates={}, left="")
    return told


def waits(upload: object) -> int:
    """How many answers and connections in a row one session waits for, before it ends by itself."""
    return 8 if upload else 4


def end(address: str, port: int | None = None) -> str:
    """One end of a connection in text; IPv6 in brackets."""
    shown = f"[{address}]" if ":" in address else address or "here"
    return f"{shown}:{port}" if port is not None else shown


def both(opener: tuple[Any, ...], other: tuple[Any, ...]) -> str:
    return f"{end(*opener[:2])} > {end(*other[:2])}"


class Failed(Exception):
    """A session ended before its end; the text says why, `error` of what sort it is (see `row`)."""

    def __init__(self, text: str, error: str = "reply") -> None:
        super().__init__(text)
        self.error = error


class Session:
    """One control connection and its data connections; what happens is written into `row`."""

    def __init__(self, job: dict[str, Any], kind: dict[str, Any], told: dict[str, Any]) -> None:
        self.job, self.kind, self.row = job, kind, told
        self.context = _context() if kind["tls"] != "none" else None
        self.stored = ""
        began = self.asked = time.monotonic()
        self.longest = job["timeout"] * waits(job.get("upload")) + _SHORT
        self.until = began + self.longest
        self.control = self._bound(kind["address"])
        here = self.control.getsockname()
        told.update(client=here[0], client_port=here[1], control=both(here, (kind["address"], kind["port"])))
        self._connect(self.control, kind["address"], kind["port"])
        told["times"]["connect"] = _since(began)
        self.file: BinaryIO = self.control.makefile("rb")

    def run(self) -> None:
        """The whole session; leaves length and SHA-256 of the fetched file in the row."""
        self.enter()
        self._transfer("LIST")
        if self.job["path"]:
            began = time.monotonic()
            self.row["bytes"], self.row["sha256"] = self._transfer(f"RETR {self.job['path']}")
            self._rate("down", self.row["bytes"], began)
        if self.job.get("upload"):
            self._round_trip(self.job["upload"])
        self.row.update(ok=True, stage="done")

    def enter(self) -> None:
        """From the greeting to being logged in."""
        began = time.monotonic()
        if self.kind["tls"] == "implicit":
            self._secure()
        self._expect("greeting", "220")
        if self.kind["tls"] == "explicit":
            self._command("AUTH TLS", "234")
            self._secure()
        if self._command(f"USER {self.job['username']}", "331", "230").startswith("331"):
            self._command(f"PASS {self.job['password']}", "230")
        if self.context:
            self._command("PBSZ 0", "200")
            self._command("PROT P", "200")
        self._command("TYPE I", "200")
        self.row["times"]["login"] = _since(began)

    def delete(self, path: str) -> None:
        """Away with it; a file that is not there is well, which 550 may mean or not (RFC 959, 4.2.2)."""
        self.control.settimeout(_SHORT)
        said = self._command(f"DELE {path}", "250", "550")
        if said.startswith("550") and self._command(f"SIZE {path}", "").startswith("213"):
            raise Failed("it is still there")
        self.stored = ""

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.control.settimeout(_SHORT)
            self.control.sendall(b"QUIT\r\n")
            self.file.readline(_MOST_ANSWER)
        self.file.close()
        self.control.close()

    def _round_trip(self, upload: dict[str, Any]) -> None:
        """A file of ours goes there, comes back the same, and is deleted."""
        content = os.urandom(upload["bytes"])
        path = f"{upload['folder'].rstrip('/')}/{upload['name']}-{os.urandom(4).hex()}"
        self.stored = path
        began = time.monotonic()
        self._transfer(f"STOR {path}", content)
        self._rate("up", len(content), began)
        began = time.monotonic()
        length, came = self._transfer(f"RETR {path}")
        if length > self.row["bytes"]:
            self._rate("down", length, began)
        if came != hashlib.sha256(content).hexdigest():
            self.row["stage"] = "RETR"
            raise Failed("what was uploaded came back as something else", "checksum")
        self._command(f"DELE {path}", "250")
        self.stored = ""

    def _rate(self, way: str, length: int, began: float) -> None:
        self.row["rates"][way] = int(length / max(time.monotonic() - began, 0.001))

    def _bound(self, address: str) -> socket.socket:
        """A socket for connections to `address` with its near end known, whatever comes of connecting."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(self.job["timeout"])
        try:
            connection.bind((self.row["source"] or _near(family, address), 0))
        except OSError as error:
            connection.close()
            raise Failed(str(error), "local") from error
        return connection

    def _connect(self, connection: socket.socket, address: str, port: int) -> None:
        try:
            connection.connect((address, port))
        except BaseException:
            connection.close()
            raise

    def _secure(self) -> None:
        """TLS on the control connection from here on."""
        self.row["stage"] = "TLS handshake"
        assert self.context is not None  # noqa: S101 - for the reader; it is set whenever a kind has TLS
        secured = self.context.wrap_socket(self.control)
        self.file.close()
        self.control, self.file = secured, secured.makefile("rb")
        shown = secured.getpeercert(binary_form=True) or b""
        self.row["certificate"] = f"{subject(shown)} sha256:{hashlib.sha256(shown).hexdigest()}".strip()
        self.row["protocol"] = secured.version() or ""

    def _command(self, line: str, *codes: str) -> str:
        word = line.split(maxsplit=1)[0]
        self.row.update(stage=word, command="PASS ****" if word == "PASS" else line, reply="")
        if "\r" in line or "\n" in line:
            raise Failed("there is a line break in what it takes", "local")
        self.control.sendall(line.encode() + b"\r\n")
        return self._expect(word, *codes)

    def _expect(self, stage: str, *codes: str) -> str:
        """The answer's text; several lines are read to the last (RFC 959, 4.2)."""
        self.row["stage"] = stage
        left = _MOST_ANSWER
        line = first = self._line(left)
        while line and not re.match(re.escape(first[:3]) + " ", line):
            left -= len(line)
            line = self._line(left)
        if not line:
            raise Failed("the server closed the connection", "closed")
        self.row["reply"] = line.strip()[:_MOST_TOLD]
        if not line.startswith(codes):
            raise Failed(line.strip()[:_MOST_TOLD])
        return line

    def _line(self, most: int) -> str:
        """The next line on the control connection, '' at its end; one answer has at most `most` bytes more."""
        self._in_time()
        line = self.file.readline(max(most, 0) + 1)
        if len(line) > most:
            raise Failed(f"the server's answer has no end: more than {_MOST_ANSWER // 1024} KiB of it came")
        return line.decode("utf-8", "replace")

    def _in_time(self) -> None:
        """A server that always sends a little more is waited for no longer than one that sends nothing."""
        if time.monotonic() > self.until:
            raise Failed(f"it had not ended after {self.longest} s", "timeout")

    def _transfer(self, command: str, content: bytes | None = None) -> tuple[int, str]:
        """What came over one data connection: (length, SHA-256). With `content`, that is sent instead."""
        self.row.update(data="", data_from="", data_client_port=0, told="", told_port=0)
        self.asked = time.monotonic()
        word = command.split(maxsplit=1)[0]
        with contextlib.ExitStack() as stack:
            data = self._opened(command, word, stack)
            self.row["data_from"] = end(*data.getpeername()[:2])
            if self.context:
                data = stack.enter_context(self._secured(data, word))
            self.row["stage"] = f"{word} data"
            result = self._carried(data, word, content)
        self._expect(f"{word} end", "226")
        return result

    def _opened(self, command: str, word: str, stack: contextlib.ExitStack) -> socket.socket:
        """The data connection for `command`, which was taken by then."""
        if self.row["mode"] in {"PASV", "EPSV"}:
            data = stack.enter_context(self._passive())
            self._command(command, "1")
            return data
        waiting = stack.enter_context(self._active())
        self._command(command, "1")
        return stack.enter_context(self._accepted(waiting, word))

    def _carried(self, data: socket.socket, word: str, content: bytes | None) -> tuple[int, str]:
        """One direction of a transfer. Of one that breaks, what the server says of it is told rather than the break."""
        try:
            if content is None:
                return self._read(data)
            data.sendall(content)
            _end_tls(data)
            return len(content), hashlib.sha256(content).hexdigest()
        except OSError:
            data.close()
            self.control.settimeout(_SHORT)
            with contextlib.suppress(OSError):
                self._expect(f"{word} end", "226")
            raise

    def _accepted(self, waiting: socket.socket, word: str) -> socket.socket:
        self.row["stage"] = f"{word} data"
        data = waiting.accept()[0]
        data.settimeout(self.job["timeout"])
        self.row["data"] = both(data.getpeername(), data.getsockname())
        return data

    def _secured(self, data: socket.socket, word: str) -> ssl.SSLSocket:
        """TLS on a data connection, with the control connection's session (RFC 4217, 10.2)."""
        self.row["stage"] = f"{word} TLS handshake"
        assert self.context is not None and isinstance(self.control, ssl.SSLSocket)  # noqa: S101, PT018 - see _secure
        return self.context.wrap_socket(data, session=self.control.session)

    def _passive(self) -> socket.socket:
        if self.row["mode"] == "EPSV":
            address = self.control.getpeername()[0]
            port = int(self._numbers(r"\|\|\|([0-9]{1,5})\|", self._command("EPSV", "229"))[0])
        else:
            byte = "[0-9]{1,3}"
            found = self._numbers(f"({byte},{byte},{byte},{byte}),({byte}),({byte})", self._command("PASV", "227"))
            address, port = found[0].replace(",", "."), int(found[1]) * 256 + int(found[2])
        if port > 65535:
            raise Failed(f"an answer with the port {port}: there is none above 65535")
        self.row.update(stage=f"{self.row['mode']} connect to {end(address, port)}", told=address, told_port=port)
        data = self._bound(address)
        here = data.getsockname()
        self.row.update(data=both(here, (address, port)), data_client_port=here[1])
        self._connect(data, address, port)
        return data

    def _numbers(self, pattern: str, answer: str) -> tuple[str, ...]:
        found = re.search(pattern, answer)
        if not found:
            raise Failed(f"an answer without an address: {answer.strip()[:_MOST_TOLD]}")
        return found.groups()

    def _active(self) -> socket.socket:
        """A socket that waits for the server, which was told where."""
        address = self.control.getsockname()[0]
        waiting = socket.socket(self.control.family)
        waiting.settimeout(self.job["timeout"])
        waiting.bind((address, 0))
        waiting.listen(1)
        port = waiting.getsockname()[1]
        self.row["data"] = f"the server > {end(address, port)}"
        if self.row["mode"] == "EPRT":
            line = f"EPRT |{2 if ':' in address else 1}|{address}|{port}|"
        else:
            line = f"PORT {address.replace('.', ',')},{port >> 8},{port & 255}"
        try:
            self._command(line, "200")
        except BaseException:
            waiting.close()
            raise
        return waiting

    def _read(self, data: socket.socket) -> tuple[int, str]:
        digest, length = hashlib.sha256(), 0
        while True:
            self._in_time()
            block = data.recv(65536)
            if not block:
                break
            if not length:
                self.row["times"]["first_byte"] = _since(self.asked)
            digest.update(block)
            length += len(block)
        _end_tls(data)
        return length, digest.hexdigest()


def _end_tls(data: socket.socket) -> None:
    """A server may end TCP without ending TLS first; the length is checked by the digest anyway."""
    if isinstance(data, ssl.SSLSocket):
        with contextlib.suppress(OSError):
            data.unwrap()


def _near(family: int, address: str) -> str:
    """Which address of this machine connections to `address` come from. Nothing is sent."""
    with socket.socket(family, socket.SOCK_DGRAM) as asked:
        asked.connect((address, 9))
        return str(asked.getsockname()[0])


def _since(began: float) -> float:
    return round(time.monotonic() - began, 4)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def subject(certificate: bytes) -> str:
    """CN, O and OU of a DER certificate's subject (RFC 5280, 4.1), '' if it cannot be read."""
    try:
        body = _parts(_parts(_parts(certificate)[0][1])[0][1])
        # A version is there except in certificates of version 1; then serial, algorithm, issuer, validity, subject.
        name = body[5 if body[0][0] == 0xA0 else 4][1]
        pairs = [_parts(_parts(each)[0][1]) for _, each in _parts(name)]
        return ",".join(f"{_NAMES[k[1]]}={v[1].decode('utf-8', 'replace')}" for k, v in pairs if k[1] in _NAMES)
    except (IndexError, ValueError):
        return ""


def _parts(text: bytes) -> list[tuple[int, bytes]]:
    """The elements that stand in `text` one behind the other: (tag, content)."""
    found, at = [], 0
    while at < len(text):
        tag, length, at = text[at], text[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(text[at : at + size], "big"), at + size
        found.append((tag, text[at : at + length]))
        at += length
    return found


def one(job: dict[str, Any], source: str, kind: dict[str, Any]) -> None:
    """Runs one session and prints its line."""
    began = time.monotonic()
    told = row(source, kind)
    try:
        with contextlib.closing(Session(job, kind, told)) as session:
            try:
                session.run()
            finally:
                if session.stored:
                    tidy(session, dict(told))
    except Exception as error:  # noqa: BLE001 - whatever a server sends ends its own session only, with a row
        told.update(ok=False, message=in_words(error, job), error=sort(error))
    told["seconds"] = round(time.monotonic() - began, 3)
    with _PRINT:
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


def tidy(session: Session, told: dict[str, Any]) -> None:
    """Deletes what a failed session has uploaded: over its connection, else over another. `row` keeps what failed."""
    path, kept = session.stored, session.row
    session.row = told
    try:
        try:
            session.delete(path)
        except (Failed, OSError):
            job = {**session.job, "timeout": _SHORT}
            with contextlib.closing(Session(job, session.kind, {**told, "times": {}})) as another:
                another.enter()
                another.delete(path)
    except (Failed, OSError):
        kept["left"] = path
    finally:
        session.row, session.stored = kept, ""


def in_words(error: Exception, job: dict[str, Any]) -> str:
    if isinstance(error, socket.timeout):
        return f"no answer within {job['timeout']} s"
    return str(error)[:_MOST_TOLD] or type(error).__name__


def sort(error: Exception) -> str:
    """The sort of a failure (see `row`)."""
    if isinstance(error, Failed):
        return error.error
    sorts = (
        (socket.timeout, "timeout"),
        (ssl.SSLError, "tls"),
        (ConnectionRefusedError, "refused"),
        ((ConnectionResetError, BrokenPipeError), "reset"),
    )
    found = next((word for kinds, word in sorts if isinstance(error, kinds)), "other")
    far = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT}
    return "unreachable" if found == "other" and isinstance(error, OSError) and error.errno in far else found


def main(job: dict[str, Any]) -> None:
    """All sessions of all clients: clients side by side, the sessions of one in turn."""

    def all_kinds(client: dict[str, Any]) -> None:
        for kind in client["kinds"]:
            one(job, client["source"], kind)

    threads = [threading.Thread(target=all_kinds, args=[client]) for client in job["clients"]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
