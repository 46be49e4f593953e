"""A WebSocket client that speaks ASGI. (channels.testing has one, but importing it wants another web server.)"""

from __future__ import annotations

import json
from typing import Any

from asgiref.testing import ApplicationCommunicator

WAIT = 5.0


class Socket:
    """One connection to `application` at `path`."""

    def __init__(self, application: Any, path: str, headers: list[tuple[bytes, bytes]]) -> None:
        scope = {"type": "websocket", "path": path, "query_string": b"", "headers": headers, "subprotocols": []}
        communicator: Any = ApplicationCommunicator
        self._asgi = communicator(application, scope)

    async def connect(self) -> bool:
        """Whether the connection was accepted."""
        await self._asgi.send_input({"type": "websocket.connect"})
        answer = await self._asgi.receive_output(WAIT)
        return bool(answer["type"] == "websocket.accept")

    async def say(self, **frame: Any) -> None:
        """Sends text="…" or bytes=b"…"."""
        await self._asgi.send_input({"type": "websocket.receive", **frame})

    async def hear(self) -> Any:
        """The next message, read as JSON."""
        message = await self._asgi.receive_output(WAIT)
        assert message["type"] == "websocket.send", message
        return json.loads(message["text"])

    async def is_silent(self, seconds: float) -> bool:
        """Whether nothing comes for so long."""
        return bool(await self._asgi.receive_nothing(seconds))

    async def closed(self, wait: float = WAIT) -> int:
        """The code with which the server closes; what it says before is passed over."""
        while (message := await self._asgi.receive_output(wait))["type"] == "websocket.send":
            pass
        assert message["type"] == "websocket.close", message
        return int(message["code"])

    async def disconnect(self) -> None:
        await self._asgi.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._asgi.wait(WAIT)
