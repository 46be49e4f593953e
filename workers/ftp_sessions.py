"""Real FTP sessions from a probe host. This file's text is sent there and run by its Python 3 (3.7 or later).

It imports nothing of ours. Behind it stands a call of `main` with the job: address, port, username, password, path,
sources, modes, timeout. Each session logs in,
lists, fetches the file and quits, with its data connections made in one mode (RFC 959: PASV, PORT; RFC 2428: EPSV,
EPRT), and obeys the address in the 227 answer as simple clients do. One JSON line a session goes to standard output:
mode, source, port (of the control connection), ok, stage (the command that failed), message, seconds, bytes, sha256,
data_from (the other end of the data connection).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import sys
import threading
import time
from typing import Any, BinaryIO

_PRINT = threading.Lock()


class Failed(Exception):
    """A session ended before its end; the text says why."""


class Session:
    """One control connection and its data connections."""

    def __init__(self, job: dict[str, Any], source: str, mode: str) -> None:
        self.job, self.source, self.mode = job, source, mode
        self.stage, self.data_from = "connect", ""
        self.control = self._connect(job["address"], job["port"])
        self.control_port = self.control.getsockname()[1]
        self.file: BinaryIO = self.control.makefile("rb")

    def run(self) -> tuple[int, str]:
        """The whole session; (length, SHA-256) of the fetched file."""
        job = self.job
        self._expect("greeting", "220")
        self._command(f"USER {job['username']}", "331", "USER")
        self._command(f"PASS {job['password']}", "230", "PASS")
        self._command("TYPE I", "200")
        self._transfer("LIST")
        return self._transfer(f"RETR {job['path']}")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.control.sendall(b"QUIT\r\n")
            self.file.readline()
        self.control.close()

    def _connect(self, address: str, port: int) -> socket.socket:
        source = (self.source, 0) if self.source else None
        return socket.create_connection((address, port), self.job["timeout"], source)

    def _command(self, line: str, code: str, stage: str = "") -> str:
        self.stage = stage or line.split(maxsplit=1)[0]
        self.control.sendall(line.encode() + b"\r\n")
        return self._expect(self.stage, code)

    def _expect(self, stage: str, code: str) -> str:
        """The answer's text; several lines are read to the last (RFC 959, 4.2)."""
        self.stage = stage
        line = first = self.file.readline().decode("utf-8", "replace")
        while line and not re.match(re.escape(first[:3]) + " ", line):
            line = self.file.readline().decode("utf-8", "replace")
        if not line:
            raise Failed("the server closed the connection")
        if not line.startswith(code):
            raise Failed(line.strip())
        return line

    def _transfer(self, command: str) -> tuple[int, str]:
        """What came over one data connection: (length, SHA-256)."""
        with contextlib.ExitStack() as stack:
            if self.mode in {"PASV", "EPSV"}:
                data = stack.enter_context(self._passive())
                self._command(command, "1")
            else:
                waiting = stack.enter_context(self._active())
                self._command(command, "1")
                self.stage = command.split(maxsplit=1)[0] + " data"
                data = stack.enter_context(waiting.accept()[0])
                data.settimeout(self.job["timeout"])
            self.data_from = "{}:{}".format(*data.getpeername()[:2])
            result = self._read(data)
        self._expect(command.split(maxsplit=1)[0] + " end", "226")
        return result

    def _passive(self) -> socket.socket:
        if self.mode == "EPSV":
            address = self.control.getpeername()[0]
            port = int(self._numbers(r"\|\|\|(\d+)\|", self._command("EPSV", "229"))[0])
        else:
            found = self._numbers(r"(\d+,\d+,\d+,\d+),(\d+),(\d+)", self._command("PASV", "227"))
            address, port = found[0].replace(",", "."), int(found[1]) * 256 + int(found[2])
        self.stage = f"{self.mode} connect to {address}:{port}"
        return self._connect(address, port)

    def _numbers(self, pattern: str, answer: str) -> tuple[str, ...]:
        found = re.search(pattern, answer)
        if not found:
            raise Failed(f"an answer without an address: {answer.strip()}")
        return found.groups()

    def _active(self) -> socket.socket:
        address = self.control.getsockname()[0]
        waiting = socket.socket()
        waiting.settimeout(self.job["timeout"])
        waiting.bind((address, 0))
        waiting.listen(1)
        port = waiting.getsockname()[1]
        if self.mode == "EPRT":
            line = f"EPRT |1|{address}|{port}|"
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
                return length, digest.hexdigest()
            digest.update(block)
            length += len(block)


def one(job: dict[str, Any], source: str, mode: str) -> None:
    """Runs one session and prints its line."""
    start = time.monotonic()
    row = {"mode": mode, "source": source, "ok": False, "message": "", "bytes": 0, "sha256": ""}
    row.update(stage="connect", port=0, data_from="")
    try:
        session = Session(job, source, mode)
    except OSError as error:
        row["message"] = in_words(error, job)
    else:
        row.update(attempt(session))
    row["seconds"] = round(time.monotonic() - start, 3)
    with _PRINT:
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()


def attempt(session: Session) -> dict[str, Any]:
    """What came of a connected session."""
    row: dict[str, Any] = {}
    try:
        row["bytes"], row["sha256"] = session.run()
        row["ok"], session.stage = True, "done"
    except (Failed, OSError) as error:
        row["message"] = in_words(error, session.job)
    finally:
        session.close()
    row.update(stage=session.stage, port=session.control_port, data_from=session.data_from)
    return row


def in_words(error: Exception, job: dict[str, Any]) -> str:
    if isinstance(error, socket.timeout):
        return f"no answer within {job['timeout']} s"
    return str(error) or type(error).__name__


def main(job: dict[str, Any]) -> None:
    """All modes from all sources: sources side by side, the modes of one in turn."""

    def all_modes(source: str) -> None:
        for mode in job["modes"]:
            one(job, source, mode)

    threads = [threading.Thread(target=all_modes, args=[source]) for source in job["sources"]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
