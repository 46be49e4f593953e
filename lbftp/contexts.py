"""Gives each connection to the application context variables of its own, and no request a way to stop the event loop.

A server may start a request from inside the `send` of the one before it on the same connection: uvicorn does with
pipelined requests, and with any that waited. asyncio then hands the earlier one's context variables on
(cpython 140947), among them asgiref's `thread_sensitive_context`. The later request then works in the earlier one's
thread, whose end joins that thread on the event loop that the later one waits for: the whole process stops for good.

A request that is cancelled (a server that ends, a time limit) stops it in the same way by itself: its thread is joined
on the loop while it waits for the loop. So its thread is given up here instead, and ends when it has nothing to do.

It is done here and not by the server's option (uvicorn --reset-contextvars), so that it holds under every server that
runs `lbftp.asgi`.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext
from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

_Threads: Any = ThreadSensitiveContext


class OwnContext:
    """An ASGI application around `application`, each call of which begins with no context variable set.

    Cancelling the call cancels what runs inside, and what is raised inside comes out, as if there were nothing
    between.
    """

    def __init__(self, application: ASGI3Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await asyncio.create_task(self._run(scope, receive, send), context=contextvars.Context())

    async def _run(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        # Django's own context does nothing inside this one; it would wait for the thread at its end.
        threads = _Threads()
        SyncToAsync.thread_sensitive_context.set(threads)
        await self._application(scope, receive, send)
        # One that is cancelled does not come here: what still works for it keeps its thread, which ends with the last
        # of them, because asgiref knows it by a weak reference.
        if executor := SyncToAsync.context_to_thread_executor.pop(threads, None):
            executor.shutdown(wait=False)
