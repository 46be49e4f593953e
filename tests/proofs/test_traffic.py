"""What is made of the sessions that went on beside a failover."""

from __future__ import annotations

from workers.proofs.failover import _steady
from workers.proofs.traffic import Traffic


def traffic(*sessions: tuple[float, float, bool]) -> Traffic:
    """Sessions as (begun, ended, worked), in the order of their ends."""
    made = Traffic()
    for begun, end, ok in sorted(sessions, key=lambda one: one[1]):
        made.rows.append((end, {"kind": "short", "seconds": end - begun, "ok": ok, "message": ""}))
    return made


def test_the_worst_wait_is_from_the_first_session_that_failed_until_one_that_worked() -> None:
    found = traffic((9.5, 9.7, True), (10.0, 14.0, False), (10.5, 14.5, False), (13.0, 13.4, True), (13.5, 13.8, True))
    assert found.worst_wait(9.9) == 3.4
    # What began earlier says nothing of it, and a slow session that worked is a wait as well.
    assert found.worst_wait(12.0) == 0.4
    assert traffic((10.0, 12.8, True), (10.2, 12.9, True)).worst_wait(10.0) == 2.8


def test_a_session_that_failed_last_is_nobodys_wait_yet() -> None:
    assert traffic((10.0, 10.2, True), (10.5, 14.5, False)).worst_wait(10.0) == 0.2
    assert traffic().worst_wait(0.0) == 0.0


def test_three_good_ones_in_a_row_are_steady() -> None:
    good = [(10.0 + n, 10.2 + n, True) for n in range(3)]
    assert _steady(traffic(*good), 9.0)
    assert not _steady(traffic(*good[:2]), 9.0)
    assert not _steady(traffic(*good, (11.0, 12.1, False)), 9.0)


def test_sessions_that_stay_are_there_until_they_are_lost() -> None:
    made = Traffic()
    for at, name, state in ((1.0, "session 1", "up"), (1.0, "transfer", "up"), (5.0, "transfer", "lost")):
        made.rows.append((at, {"kind": "held", "name": name, "state": state, "message": ""}))
    assert made.staying() == {"session 1"}
    assert [row["name"] for row in made.lost(4.0)] == ["transfer"]
    assert made.lost(6.0) == []
