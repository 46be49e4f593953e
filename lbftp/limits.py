"""What a stranger may send at all: a request's body has a size and a time. It is read here, before anything keeps it.

Django would write a body to disk as it comes, whoever sends it. Nothing in lbftp takes files, and its largest form has
some kilobytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

MOST_BYTES: Final = 1 << 20
SECONDS: Final = 60.0
# Where Django finds the status that a request is refused with (lbftp.web.doors).
REFUSED: Final = "lbftp.refused"
TOO_LARGE: Final = 413
TOO_SLOW: Final = 408

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
# Django's, Channels' and the tests' name the same things by different types.
Application = Callable[[Any, Any, Any], Awaitable[None]]


class _Gone(Exception):
    """The client left before its request was whole."""


class BoundedBodies:
    """An ASGI application that is handed whole bodies of at most `most` bytes.

    A larger one, or one that takes longer than `seconds`, is not read to its end: the application gets the request
    without a body and with REFUSED in its scope, and the connection ends with the answer.
    """

    def __init__(self, application: Application, most: int = MOST_BYTES, seconds: float = SECONDS) -> None:
        self._application, self._most, self._seconds = application, most, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return

        try:
            body = await asyncio.wait_for(self._body(scope, receive), self._seconds)
        except _Gone:
            return
        except TimeoutError:
            await self._refuse(TOO_SLOW, scope, send)
        else:
            if body is None:
                await self._refuse(TOO_LARGE, scope, send)
            else:
                await self._application(scope, _replayed(body, receive), send)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """None if it is too large, which its sender may say beforehand."""
        if _declared(scope) > self._most:
            return None

        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            body += message.get("body", b"")
            if len(body) > self._most:
                return None
            if not message.get("more_body", False):
                return bytes(body)

    async def _refuse(self, status: int, scope: Scope, send: Send) -> None:
        kept = [(name, value) for name, value in scope["headers"] if name not in (b"content-length", b"content-type")]

        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), (b"connection", b"close")]}
            await send(message)

        refused = {**scope, "headers": kept, REFUSED: status}
        await self._application(refused, _replayed(b"", _nothing), closing)


def _declared(scope: Scope) -> int:
    """What the sender says, 0 if nothing that is a number: then it is counted."""
    given = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return int(given) if given.isdigit() and len(given) < 20 else 0


async def _nothing() -> Message:
    """What was not read is left where it is: the server stops taking more, and ends the connection."""
    await asyncio.Event().wait()
    raise AssertionError


def _replayed(body: bytes, receive: Receive) -> Receive:
    """`receive` with the body in one piece before all else."""
    told = False

    async def next_message() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return next_message
