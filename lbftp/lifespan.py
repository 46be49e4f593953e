"""The web server's start and end, and its signs of life to systemd where that watches it (WatchdogSec=)."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any, Final, cast

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

from lbftp.systemd import notify

# systemd wants to hear of us twice as often as it says; so does sd_watchdog_enabled(3).
_OFTENER: Final = 3
_PATH: Final = "/healthz"


class Lifespan:
    """An ASGI application around `application` that answers the server's lifespan.

    While it runs, `application` itself is asked for /healthz, and each answer is a sign of life: an event loop that
    hangs gives none, and neither do requests that get no thread.
    """

    def __init__(self, application: ASGI3Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "lifespan":
            await self._application(scope, receive, send)
            return
        await receive()
        watching = asyncio.create_task(self._watch())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        await send({"type": "lifespan.shutdown.complete"})

    async def _watch(self) -> None:
        seconds = int(os.environ.get("WATCHDOG_USEC") or 0) / 1_000_000
        notify("READY=1")
        while seconds:
            if await self._answers(seconds):
                notify("WATCHDOG=1")
            await asyncio.sleep(seconds / _OFTENER)

    async def _answers(self, patience: float) -> bool:
        statuses: list[int] = []
        asked = asyncio.Event()

        async def receive() -> Any:
            if asked.is_set():
                # Nobody hangs up.
                await asyncio.Event().wait()
            asked.set()
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._application(_scope(), cast("Any", receive), cast("Any", send))
        return bool(statuses)


def _scope() -> Any:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": _PATH,
        "raw_path": _PATH.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": None,
        "server": None,
    }
