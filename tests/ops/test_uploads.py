"""A stranger sends 400 MiB to a real web server: it is refused at once, and neither its disk nor its memory fill."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from ops.places import ROOT, free_port
from ops.readiness import ask

MEBIBYTE: Final = 1 << 20
BODY: Final = 400 * MEBIBYTE
PIECE: Final = b"x" * 65536


@dataclass
class Web:
    port: int
    pid: int

    @property
    def memory(self) -> int:
        """Bytes that it holds now."""
        words = Path(f"/proc/{self.pid}/statm").read_text().split()
        return int(words[1]) * os.sysconf("SC_PAGE_SIZE")

    @property
    def kept(self) -> int:
        """Bytes in the files without a name that it has open, which is where bodies go; its own words are not meant."""
        total = 0
        for handle in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(OSError):
                path = str(handle.readlink())
                if int(handle.name) > 2 and path.endswith("(deleted)"):
                    total += handle.stat().st_size
        return total


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A web server as `make run` starts it, with an empty database and nobody behind it."""
    env = {**os.environ, "LBFTP_VAR": str(tmp_path_factory.mktemp("site"))}
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=env, check=True)
    port = free_port()
    server = [sys.executable, "-m", "uvicorn", "lbftp.asgi:application", "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen(server, cwd=ROOT, env=env)
    try:
        until = time.monotonic() + 60
        while ask(f"http://127.0.0.1:{port}/healthz")[0] != 200:
            assert time.monotonic() < until, "the web server did not answer"
            time.sleep(0.1)
        yield Web(port, process.pid)
    finally:
        process.terminate()
        process.wait(20)


@dataclass
class Upload:
    """What became of it: bytes that were taken, the most that was in memory and on disk beyond before, the answer."""

    taken: int
    memory: int
    kept: int
    answer: str


def upload(web: Web, path: str, headers: str, *, chunked: bool) -> Upload:
    before, memory, kept, taken = web.memory, 0, 0, 0
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as client:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}"
        head += "Transfer-Encoding: chunked\r\n\r\n" if chunked else f"Content-Length: {BODY}\r\n\r\n"
        client.sendall(head.encode())
        piece = b"%x\r\n%s\r\n" % (len(PIECE), PIECE) if chunked else PIECE
        with suppress(OSError):
            while taken < BODY:
                client.sendall(piece)
                taken += len(PIECE)
                memory, kept = max(memory, web.memory - before), max(kept, web.kept)
        answer = b""
        with suppress(OSError):
            while data := client.recv(65536):
                answer += data
    return Upload(taken, memory, kept, answer.decode(errors="replace"))


@pytest.mark.parametrize("path", ["/sign-in/", "/no-such-page/", "/healthz"])
@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_before_signing_in_ends_early(web: Web, path: str, kind: str, chunked: bool) -> None:
    seen = upload(web, path, f"Content-Type: {kind}\r\n", chunked=chunked)
    assert seen.taken < 16 * MEBIBYTE
    assert seen.memory < 64 * MEBIBYTE
    assert seen.kept == 0
    assert ask(f"http://127.0.0.1:{web.port}/healthz")[0] == 200


def test_the_answer_says_what_to_do(web: Web) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as client:
        client.sendall(f"POST /sign-in/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: {BODY}\r\n\r\n".encode())
        answer = b""
        while data := client.recv(65536):
            answer += data
    head, _, page = answer.decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 413 ")
    assert "connection: close" in head.lower()
    assert "content-security-policy" in head.lower()
    assert "takes requests of up to 1 MiB, and no files" in page


def test_a_body_below_the_limit_is_read_and_judged(web: Web) -> None:
    body = b"username=a&password=" + b"x" * (MEBIBYTE - 100)
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as client:
        head = f"POST /sign-in/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        client.sendall(f"{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n".encode() + body)
        answer = b""
        while data := client.recv(65536):
            answer += data
    # Without the form's token: it was read to its end, and refused for that.
    assert answer.startswith(b"HTTP/1.1 403 ")
