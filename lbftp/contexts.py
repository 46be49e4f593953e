"""Gives each connection to the application context variables of its own.

A server may start a request from inside the `send` of the one before it on the same connection: uvicorn does with
pipelined requests, and with any that waited. asyncio then hands the earlier one's context variables on
(cpython 140947), among them asgiref's `thread_sensitive_context`. The later request then works in the earlier one's
thread, whose end joins that thread on the event loop that the later one waits for: the whole process stops for good.

It is done here and not by the server's option (uvicorn --reset-contextvars), so that it holds under every server that
runs `lbftp.asgi`.
"""

from __future__ import annotations

import asyncio
import contextvars

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope


class OwnContext:
    """An ASGI application around `application`, each call of which begins with no context variable set.

    Cancelling the call cancels what runs inside, and what is raised inside comes out, as if there were nothing
    between. The lifespan stays in the server's context: it is no connection, and sets up what is to last.
    """

    def __init__(self, application: ASGI3Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        await asyncio.create_task(self._run(scope, receive, send), context=contextvars.Context())

    async def _run(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await self._application(scope, receive, send)
