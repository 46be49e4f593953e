"""No request stays without an answer, whatever browsers do on kept connections: on a whole site, really started.

`make test` has a sample; `make test-soak` (LBFTP_SOAK=all) the whole series, half an hour.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ops import stack as stacks
from ops.readiness import ask
from ops.stack import Options, Stack
from tests.insider import Insider
from tests.ops.connections import Door, Series, aborted, after_not_modified, pipelined

ALL = os.environ.get("LBFTP_SOAK") == "all"
pytestmark = pytest.mark.timeout(3600 if ALL else 300)
QUICK = Options(extra={"LBFTP_BEAT_TICK_SECONDS": "1"})


def times(sample: int, whole: int) -> int:
    return whole if ALL else sample


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stacks.start(tmp_path_factory.mktemp("site"), None, QUICK) as running:
        yield running


@pytest.fixture(scope="module")
def actor(stack: Stack) -> Iterator[Insider]:
    inside = Insider("tests.ops.actor", stack.env)
    yield inside
    inside.stop()


@pytest.fixture
def stranger(stack: Stack) -> Door:
    return Door(int(stack.base_url.rsplit(":", 1)[1]))


@pytest.fixture
def operator(stranger: Door, actor: Insider) -> Door:
    return Door(stranger.port, str(actor.do("sign_in", name="bob")["session"]))


def judge(series: Series, stack: Stack) -> None:
    print(f"{series.asked} tries, {len(series.unanswered)} unanswered")
    assert series.unanswered == []
    assert ask(f"{stack.base_url}/healthz", 20)[0] == 200


def test_pipelined_pairs(stack: Stack, stranger: Door) -> None:
    judge(pipelined(stranger, times(500, 10_000)), stack)


def test_pipelined_pairs_of_somebody_signed_in(stack: Stack, operator: Door) -> None:
    pairs = (("/", "/"), ("/changes/", "/routers/"), ("/static/lbftp/lbftp.css", "/"))
    judge(pipelined(operator, times(150, 2_000), pairs), stack)


def test_a_304_before_a_page(stack: Stack, stranger: Door) -> None:
    judge(after_not_modified(stranger, times(300, 3_000)), stack)


def test_aborted_requests(stack: Stack, stranger: Door) -> None:
    judge(aborted(stranger, times(100, 1_000)), stack)


def test_aborted_requests_of_somebody_signed_in(stack: Stack, operator: Door) -> None:
    judge(aborted(operator, times(100, 1_000), "/"), stack)
