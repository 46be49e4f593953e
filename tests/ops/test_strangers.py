"""Strangers at /readyz cost the broker nothing, and a broker that accepts and never answers holds nobody up for long."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import stack as stacks
from ops.stack import Options, Stack
from tests.insider import Insider
from tests.ops.connections import Door, Series, everything, many, read_answers

ALL = os.environ.get("LBFTP_SOAK") == "all"
SECONDS = 60 if ALL else 6
CLIENTS = 40
# Tells what hangs from what is slow on a busy machine; a click used to hang for 25 s and longer.
SOON = 20
TOKEN = "a" * 32
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    options = Options(workers=2, extra={"LBFTP_BEAT_TICK_SECONDS": "1"})
    with stacks.start(tmp_path_factory.mktemp("site"), None, options) as running:
        yield running


@pytest.fixture(scope="module")
def actor(stack: Stack) -> Iterator[Insider]:
    inside = Insider("tests.ops.actor", stack.env)
    yield inside
    inside.stop()


@pytest.fixture
def operator(stack: Stack, actor: Insider) -> Door:
    return Door(int(stack.base_url.rsplit(":", 1)[1]), str(actor.do("sign_in", name="bob")["session"]))


def click(door: Door) -> tuple[float, bytes]:
    """An operator has a router looked at: how long the answer took, and its first line."""
    cookie = f"Cookie: sessionid={door.session}; csrftoken={TOKEN}"
    stranger = Door(door.port)
    begun = time.monotonic()
    with door.connect() as connection:
        more = (cookie, f"X-CSRFToken: {TOKEN}", "Content-Length: 0", "Connection: close")
        connection.sendall(stranger.request("/routers/1/look/", *more, method="POST"))
        answer = everything(connection)
    return time.monotonic() - begun, answer.split(b"\r\n", 1)[0]


def threads_of(stack: Stack) -> int:
    pid = int(stack.control("pid", "web"))
    found = re.search(r"^Threads:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


def besieged(door: Door, seconds: float) -> Series:
    """So many clients ask /readyz as fast as they are answered."""
    until = time.monotonic() + seconds
    series = Series()

    def one(_: int) -> bool:
        while time.monotonic() < until:
            with door.connect() as connection:
                connection.sendall(door.request("/readyz", "Connection: close"))
                series.note(0, answered=b"HTTP/1.1 " in everything(connection))
        return True

    assert many(CLIENTS, one, at_once=CLIENTS).unanswered == []
    return series


def test_many_strangers_and_then_a_click(stack: Stack, operator: Door) -> None:
    series = besieged(Door(operator.port), SECONDS)
    print(f"{CLIENTS} clients for {SECONDS} s: {series.asked} asked, {len(series.unanswered)} unanswered")
    assert series.asked >= CLIENTS
    assert series.unanswered == []
    took, line = click(operator)
    print(f"a click afterwards: {took:.2f} s")
    assert line.startswith(b"HTTP/1.1 302")
    assert took < SOON


def test_a_broker_that_accepts_and_never_answers(stack: Stack, operator: Door, actor: Insider) -> None:
    click(operator)
    before = threads_of(stack)
    redis = int(stack.control("pid", "redis"))
    os.kill(redis, signal.SIGSTOP)
    try:
        clicks = [click(operator) for _ in range(3)]
        assert [line[:12] for _, line in clicks] == [b"HTTP/1.1 302"] * 3
        assert max(took for took, _ in clicks) < SOON
        with operator.connect() as connection:
            connection.sendall(operator.request("/readyz", "Connection: close"))
            assert b'"redis": {"ok": false' in everything(connection)
        until = time.monotonic() + 20
        while threads_of(stack) > before + 1:
            assert time.monotonic() < until, (before, threads_of(stack))
            time.sleep(1)
        print(f"clicks took {', '.join(f'{took:.1f}' for took, _ in clicks)} s; {before} threads before and after")
    finally:
        os.kill(redis, signal.SIGCONT)
    # What could not be sent is sent by the sweep.
    until = time.monotonic() + 120
    while actor.do("queued"):
        assert time.monotonic() < until, "runs were not sent"
        time.sleep(1)


def test_the_site_answers_other_things_meanwhile(stack: Stack, operator: Door) -> None:
    with operator.connect() as connection:
        connection.sendall(operator.request("/healthz") + operator.request("/", "Connection: close"))
        assert read_answers(connection, 2)
