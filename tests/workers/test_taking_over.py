"""A worker that takes over from a dead one does not give up at the first silence: what it does not see may be half done."""

from __future__ import annotations

import time

import pytest

from lbftp.core.job import Access, Event, Job
from ops.places import free_port
from tests.core.cases import GUIDE
from tests.worlds import host_key, private_key
from workers import guard
from workers.errors import HostKeyRefused, Unreachable
from workers.remote import Limits
from workers.report import Report
from workers.restore import take_over

# The guard's own seconds and this are how long is waited.
GUARD, PATIENCE = 3, 2


@pytest.fixture(autouse=True)
def _less_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PATIENCE_SECONDS", PATIENCE)


def job(shown_key: str) -> Job:
    """Its routers are ports of this machine at which nobody listens."""
    routers = tuple(Access(n, "127.0.0.1", free_port(), "root", shown_key, key=private_key()) for n in ("r1", "r2"))
    return Job(7, "apply", 2, spec=GUIDE, routers=routers, guard=GUARD)


def test_silent_routers_are_asked_until_their_guards_must_have_put_everything_back() -> None:
    events: list[Event] = []
    start = time.monotonic()
    with pytest.raises(Unreachable, match=r"no SSH connection .* their guards put back what it changed"):
        take_over(job(host_key()), GUIDE, Report(events.append, lambda: None), Limits(connect=5))
    assert time.monotonic() - start >= GUARD + PATIENCE
    assert [e.data["text"].endswith("Trying again.") for e in events if e.kind == "note"] == [True]


def test_what_waiting_does_not_mend_is_said_at_once() -> None:
    start = time.monotonic()
    with pytest.raises(HostKeyRefused, match="their guards put back what it changed"):
        take_over(job(""), GUIDE, Report(lambda _event: None, lambda: None), Limits(connect=5))
    assert time.monotonic() - start < GUARD
