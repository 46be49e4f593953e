"""Each request and each socket begins with context variables of its own, under a real server."""

from __future__ import annotations

import asyncio
import contextvars
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
import websockets
from django.conf import settings
from django.utils.module_loading import import_string

from lbftp.contexts import OwnContext

Application = Callable[[Any, Any, Any], Awaitable[None]]
left_behind: contextvars.ContextVar[str] = contextvars.ContextVar("left_behind")
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def telltale(scope: Any, receive: Any, send: Any) -> None:
    """Answers with what an earlier request left in the context, and leaves something itself."""
    found = left_behind.get("nothing").encode()
    left_behind.set(scope["type"])
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "bytes": found})
        return
    # Long enough for the second request to wait.
    await asyncio.sleep(0.05)
    headers = [(b"content-length", str(len(found)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": found})


@asynccontextmanager
async def serving(application: Application) -> AsyncIterator[int]:
    """The port of a uvicorn that runs `application`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(application, lifespan="off", log_level="error"))
        task = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield int(listener.getsockname()[1])
        server.should_exit = True
        await task


async def second_answer(application: Application) -> bytes:
    """What the second of two pipelined requests is told."""
    async with serving(application) as port, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET + GET)
        bodies = []
        for _ in range(2):
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            bodies.append(await reader.readexactly(size))
        writer.close()
    return bodies[1]


async def test_a_pipelined_request_inherits_nothing() -> None:
    assert await second_answer(OwnContext(telltale)) == b"nothing"


async def test_the_server_alone_would_hand_it_on() -> None:
    """The check itself. Should this fail one day, servers have been mended, and OwnContext can go."""
    assert await second_answer(telltale) == b"http"


async def test_a_socket_on_a_kept_connection_inherits_nothing() -> None:
    async with serving(OwnContext(telltale)) as port, asyncio.timeout(20):
        kept = socket.create_connection(("127.0.0.1", port))
        kept.sendall(GET)
        got = b""
        while not got.endswith(b"nothing"):
            got += await asyncio.to_thread(kept.recv, 65536)
        async with websockets.connect(f"ws://127.0.0.1:{port}/", sock=kept) as opened:
            assert await opened.recv() == b"nothing"


async def test_cancelling_and_failing_pass_through() -> None:
    inside = asyncio.Event()
    ended: list[str] = []

    async def endless(_scope: Any, _receive: Any, _send: Any) -> None:
        inside.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cancelled")

    async def broken(_scope: Any, _receive: Any, _send: Any) -> None:
        raise LookupError("on purpose")

    call: Any = OwnContext(endless)({"type": "http"}, None, None)  # type: ignore[arg-type]  # not looked at
    task = asyncio.create_task(call)
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["cancelled"]
    with pytest.raises(LookupError, match="on purpose"):
        await OwnContext(broken)({"type": "http"}, None, None)  # type: ignore[arg-type]  # not looked at


CANCELLED = """
import asyncio, threading, time
from asgiref.sync import ThreadSensitiveContext, async_to_sync, sync_to_async
from lbftp.contexts import OwnContext

begun = threading.Event()

def view():
    begun.set()
    time.sleep(0.5)
    async_to_sync(asyncio.sleep)(0.5)

async def django(scope, receive, send):
    async with ThreadSensitiveContext():
        task = asyncio.create_task(sync_to_async(view)())
        await asyncio.wait([task])

async def main():
    call = asyncio.create_task(APPLICATION({"type": "http"}, None, None))
    await asyncio.to_thread(begun.wait)
    call.cancel()
    await asyncio.wait([call])
    await asyncio.sleep(2)
    print("the loop goes on", threading.active_count())

asyncio.run(main())
"""


def cancelled(application: str) -> str:
    """What a process says in which a request is cancelled while its view works; empty if it stands still."""
    argv = [sys.executable, "-c", CANCELLED.replace("APPLICATION", application)]
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False).stdout
    except subprocess.TimeoutExpired:
        return ""


def test_a_cancelled_request_does_not_stop_the_loop() -> None:
    assert cancelled("OwnContext(django)").startswith("the loop goes on")


def test_without_it_a_cancelled_request_does() -> None:
    """The check itself."""
    assert cancelled("django") == ""


@pytest.mark.parametrize("path", settings.MIDDLEWARE)
def test_no_middleware_takes_pages_through_one_more_thread(path: str) -> None:
    assert import_string(path).async_capable
