"""Events reach the desk in order, survive a database that is away for a moment, and stop when the claim is lost."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from lbftp.core.job import Event, Orders
from workers import relay
from workers.errors import Cancelled, ClaimLost, NotRecorded
from workers.relay import Desk, Relay
from workers.report import Report


class Book:
    """A desk that notes everything, and is away for the first `away` calls."""

    def __init__(self, away: int = 0, *, holds: bool = True) -> None:
        self.kept: list[Event] = []
        self.away, self.holds, self.left = away, holds, False
        self.orders = Orders()

    def record(self, events: Sequence[Event]) -> None:
        self._here()
        if not self.holds:
            raise ClaimLost
        self.kept += events

    def beat(self) -> Orders | None:
        self._here()
        told, self.orders = self.orders, Orders(self.orders.cancel)
        return told if self.holds else None

    def _here(self) -> None:
        self.away -= 1
        if self.away >= 0:
            raise NotRecorded

    def leave(self) -> None:
        self.left = True

    def desk(self) -> Desk:
        return Desk(self.record, self.beat, self.leave)


def events(count: int, name: str = "x") -> list[Event]:
    return [Event("output", name, {"n": n}) for n in range(count)]


@pytest.mark.parametrize("away", [0, 2])
def test_everything_arrives_in_order(away: int) -> None:
    book = Book(away)
    with Relay(book.desk()) as kept:
        for event in events(500):
            kept.emit(event)
    assert book.kept == events(500)
    assert book.left


def test_each_thread_s_events_keep_their_order() -> None:
    book = Book()
    with Relay(book.desk()) as kept:

        def emit_all(name: str) -> None:
            for event in events(200, name):
                kept.emit(event)

        threads = [threading.Thread(target=emit_all, args=[str(n)]) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for n in range(4):
        assert [e for e in book.kept if e.router == str(n)] == events(200, str(n))


def test_a_lost_claim_is_told_before_the_next_step_and_nothing_more_is_recorded() -> None:
    book = Book(holds=False)
    with Relay(book.desk()) as kept:
        kept.emit(Event("note"))
        with pytest.raises(ClaimLost):
            kept.check()
    assert book.kept == []


def test_what_people_ask_reaches_the_next_step() -> None:
    """Also what the relay's own beat hears: it comes while a step runs, and is handed over once."""
    book = Book()
    with Relay(book.desk()) as kept:
        report, extended = Report(kept.emit, kept.check), []
        report.on_extend = lambda: extended.append(1)
        report.check()
        book.orders = Orders(extend=True)
        kept._beat()
        assert extended == []
        report.check()
        report.check()
        assert extended == [1]


def test_a_cancelled_run_stops_before_its_next_step_but_not_while_it_puts_back() -> None:
    book = Book()
    with Relay(book.desk()) as kept:
        report = Report(kept.emit, kept.check)
        book.orders = Orders("Cancelled by bob.")
        for _ in range(2):
            with pytest.raises(Cancelled, match="Cancelled by bob"), report.doing("r1", "x", "Change it"):
                raise AssertionError("the step began")
        report.cancellable = False
        report.check()
    assert book.kept == []


def test_a_database_that_stays_away_counts_as_a_lost_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "PATIENCE_SECONDS", 0.1)
    book = Book(away=1000)
    with Relay(book.desk()) as kept, pytest.raises(ClaimLost):
        kept.check()


def test_a_short_absence_is_waited_for() -> None:
    book = Book(away=1)
    with Relay(book.desk()) as kept:
        kept.check()
