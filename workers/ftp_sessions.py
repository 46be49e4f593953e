"""Real FTP sessions from a probe host. This file's text is sent there and run by its Python 3 (3.7 or later).

It imports nothing of ours. Behind it stands a call of `main` with the job: username, password, path, timeout, and
`clients`: each has a source address ('': any) and the `kinds` of its sessions: mode (RFC 959: PASV, PORT; RFC 2428:
EPSV, EPRT), tls ('none', 'explicit': RFC 4217, 'implicit'), ip (4, 6), address and port to log in to.

Each session logs in, lists, fetches the file and quits. It obeys the address in the 227 answer as simple clients do;
with TLS, data connections take up the control connection's TLS session, which servers may insist on. Certificates are
reported and not verified: what is proven here is the way of the packets. One JSON line a session goes to standard
output: `row` says what is in it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
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


def row(source: str, kind: dict[str, Any]) -> dict[str, Any]:
    """What is told of one session.

    `stage` is the command that failed, `command` and `reply` the last ones on the control connection. `control` and
    `data` (the last data connection) say who connected to whom, 'ADDRESS:PORT > ADDRESS:PORT'; `client`, `client_port`
    are the control connection's near end, `data_from` the data connection's far end. `certificate`, `protocol`: TLS.
    """
    told: dict[str, Any] = {name: kind[name] for name in ("mode", "tls", "ip", "port")}
    told.update(source=source, ok=False, stage="connect", message="", command="", reply="", bytes=0, sha256="")
    told.update(control=f"{end(source)} > {end(kind['address'], kind['port'])}", data="", data_from="")
    told.update(client="", client_port=0, certificate="", protocol="")
    return told


def end(address: str, port: int | None = None) -> str:
    """One end of a connection in text; IPv6 in brackets."""
    shown = f"[{address}]" if ":" in address else address or "here"
    return f"{shown}:{port}" if port is not None else shown


def both(opener: tuple[Any, ...], other: tuple[Any, ...]) -> str:
    return f"{end(*opener[:2])} > {end(*other[:2])}"


class Failed(Exception):
    """A session ended before its end; the text says why."""


class Session:
    """One control connection and its data connections; what happens is written into `row`."""

    def __init__(self, job: dict[str, Any], kind: dict[str, Any], told: dict[str, Any]) -> None:
        self.job, self.kind, self.row = job, kind, told
        self.context = _context() if kind["tls"] != "none" else None
        self.control = self._connect(kind["address"], kind["port"])
        self.file: BinaryIO = self.control.makefile("rb")
        here = self.control.getsockname()
        told.update(client=here[0], client_port=here[1], control=both(here, self.control.getpeername()))

    def run(self) -> None:
        """The whole session; leaves length and SHA-256 of the fetched file in the row."""
        job = self.job
        if self.kind["tls"] == "implicit":
            self._secure()
        self._expect("greeting", "220")
        if self.kind["tls"] == "explicit":
            self._command("AUTH TLS", "234")
            self._secure()
        if self._command(f"USER {job['username']}", "331", "230").startswith("331"):
            self._command(f"PASS {job['password']}", "230")
        if self.context:
            self._command("PBSZ 0", "200")
            self._command("PROT P", "200")
        self._command("TYPE I", "200")
        self._transfer("LIST")
        self.row["bytes"], self.row["sha256"] = self._transfer(f"RETR {job['path']}")
        self.row.update(ok=True, stage="done")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.control.sendall(b"QUIT\r\n")
            self.file.readline()
        self.file.close()
        self.control.close()

    def _connect(self, address: str, port: int) -> socket.socket:
        source = (self.row["source"], 0) if self.row["source"] else None
        return socket.create_connection((address, port), self.job["timeout"], source)

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
        self.control.sendall(line.encode() + b"\r\n")
        return self._expect(word, *codes)

    def _expect(self, stage: str, *codes: str) -> str:
        """The answer's text; several lines are read to the last (RFC 959, 4.2)."""
        self.row["stage"] = stage
        line = first = self.file.readline().decode("utf-8", "replace")
        while line and not re.match(re.escape(first[:3]) + " ", line):
            line = self.file.readline().decode("utf-8", "replace")
        if not line:
            raise Failed("the server closed the connection")
        self.row["reply"] = line.strip()
        if not line.startswith(codes):
            raise Failed(line.strip())
        return line

    def _transfer(self, command: str) -> tuple[int, str]:
        """What came over one data connection: (length, SHA-256)."""
        self.row.update(data="", data_from="")
        word = command.split(maxsplit=1)[0]
        with contextlib.ExitStack() as stack:
            if self.row["mode"] in {"PASV", "EPSV"}:
                data = stack.enter_context(self._passive())
                self._command(command, "1")
            else:
                waiting = stack.enter_context(self._active())
                self._command(command, "1")
                data = stack.enter_context(self._accepted(waiting, word))
            self.row["data_from"] = end(*data.getpeername()[:2])
            if self.context:
                data = stack.enter_context(self._secured(data, word))
            self.row["stage"] = f"{word} data"
            result = self._read(data)
        self._expect(f"{word} end", "226")
        return result

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
            port = int(self._numbers(r"\|\|\|(\d+)\|", self._command("EPSV", "229"))[0])
        else:
            found = self._numbers(r"(\d+,\d+,\d+,\d+),(\d+),(\d+)", self._command("PASV", "227"))
            address, port = found[0].replace(",", "."), int(found[1]) * 256 + int(found[2])
        self.row["stage"] = f"{self.row['mode']} connect to {end(address, port)}"
        self.row["data"] = f"{end(self.control.getsockname()[0])} > {end(address, port)}"
        data = self._connect(address, port)
        self.row["data"] = both(data.getsockname(), data.getpeername())
        return data

    def _numbers(self, pattern: str, answer: str) -> tuple[str, ...]:
        found = re.search(pattern, answer)
        if not found:
            raise Failed(f"an answer without an address: {answer.strip()}")
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
            block = data.recv(65536)
            if not block:
                break
            digest.update(block)
            length += len(block)
        if isinstance(data, ssl.SSLSocket):
            # A server may end TCP without ending TLS first; the length is checked by the digest anyway.
            with contextlib.suppress(OSError):
                data.unwrap()
        return length, digest.hexdigest()


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
    start = time.monotonic()
    told = row(source, kind)
    try:
        with contextlib.closing(Session(job, kind, told)) as session:
            session.run()
    except (Failed, OSError) as error:
        told["message"] = in_words(error, job)
    told["seconds"] = round(time.monotonic() - start, 3)
    with _PRINT:
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


def in_words(error: Exception, job: dict[str, Any]) -> str:
    if isinstance(error, socket.timeout):
        return f"no answer within {job['timeout']} s"
    return str(error) or type(error).__name__


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
