"""What is handed on when a body comes in pieces, too slowly, too large, or not to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from lbftp.limits import REFUSED, TOO_LARGE, TOO_SLOW, BoundedBodies

HEADERS = [(b"host", b"x"), (b"content-type", b"text/plain")]


class Inside:
    """An application that notes what it was handed."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        self.calls.append((scope.get(REFUSED, 0), message["body"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def asked(
    messages: Sequence[dict[str, Any]], headers: Sequence[tuple[bytes, bytes]] = ()
) -> tuple[Inside, list[Any]]:
    inside, sent, left = Inside(), [], list(messages)

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.sleep(60)
        return left.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "headers": [*HEADERS, *headers]}
    await BoundedBodies(inside, most=10, seconds=0.2)(scope, receive, send)
    return inside, sent


def part(body: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_comes_in_one_piece() -> None:
    inside, sent = await asked([part(b"01234"), part(b""), part(b"56789", more=False)])
    assert inside.calls == [(0, b"0123456789")]
    assert sent[0]["headers"] == []


@pytest.mark.parametrize(
    ("messages", "headers"),
    [
        ([part(b"01234"), part(b"567890")], []),
        ([part(b"01234567890", more=False)], []),
        ([], [(b"content-length", b"11")]),
        ([part(b"01234567890", more=False)], [(b"content-length", b"many")]),
        ([part(b"01234567890", more=False)], [(b"content-length", b"9" * 5000)]),
    ],
)
async def test_one_that_is_too_large_is_not_handed_on(messages: list[Any], headers: list[Any]) -> None:
    inside, sent = await asked(messages, headers)
    assert inside.calls == [(TOO_LARGE, b"")]
    assert (b"connection", b"close") in sent[0]["headers"]


async def test_one_that_takes_too_long_is_not_handed_on() -> None:
    inside, sent = await asked([part(b"0")])
    assert inside.calls == [(TOO_SLOW, b"")]
    assert (b"connection", b"close") in sent[0]["headers"]


async def test_one_whose_sender_left_is_nobodys() -> None:
    inside, sent = await asked([part(b"0"), {"type": "http.disconnect"}])
    assert (inside.calls, sent) == ([], [])
