"""What is told of a proof in a line, and its numbers."""

from __future__ import annotations

from typing import Any

from lbftp.proofs.told import in_short, table

_WAY: dict[str, Any] = {
    "seconds": 0.6,
    "going_on": ["a", "b"],
    "lost": ["a"],
    "tried": 8,
    "failed": 1,
    "reasons": ["reset"],
}
FAILOVER = {"failover": {"master": "r1", "other": "r2", "sync": False, "away": _WAY, "back": {**_WAY, "lost": []}}}
_BOOT: dict[str, Any] = {"seconds": 61.2, "moved_in": None, "state": "running", "gone": [], "failed_units": []}
REBOOT = {
    "reboot": {"r2": _BOOT, "r1": {**_BOOT, "moved_in": 0.7, "gone": ["filter: x"], "failed_units": ["a.service"]}}
}


def test_one_line() -> None:
    assert (
        in_short("failover", "succeeded", FAILOVER)
        == "r2 took over, 0.6 s at worst, 1 of 2 sessions lost (without sync)"
    )
    assert in_short("reboot", "succeeded", REBOOT) == "r2, r1: complete"
    # Routers that were proven before it failed do not make it proven.
    assert in_short("reboot", "failed", REBOOT) == "not proven"


def test_numbers_of_a_failover() -> None:
    made = table(FAILOVER)
    assert made is not None
    assert made.rows == [("To r2", "0.6 s", "2", "1", "8", "1"), ("And back", "0.6 s", "2", "0", "8", "1")]
    assert made.cells[0][1] == ("Worst wait", "0.6 s")
    # A failover that failed on its way back has its first half to show.
    half = table({"failover": {name: told for name, told in FAILOVER["failover"].items() if name != "back"}})
    assert half is not None
    assert [row[0] for row in half.rows] == ["To r2"]
    assert table({"failover": {"master": "r1", "other": "r2"}}) is not None


def test_numbers_of_a_reboot() -> None:
    made = table(REBOOT)
    assert made is not None
    assert made.rows == [("r2", "61 s", "did not hold it", "running", "0"), ("r1", "61 s", "0.7 s", "running", "1")]
    assert made.lists == [("r1: gone", ["filter: x"]), ("r1: failed units", ["a.service"])]


def test_other_runs_have_no_numbers() -> None:
    assert table({"findings": [], "master": "r1"}) is None
    assert table({"reboot": {}}) is None
