"""docs/faults.md from the rows that the series left: `python -m tests.faults.table [FILE…]`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from tests.faults import faults, test_database, test_workers
from tests.faults.series import ROOT, Row, every, results

_HEAD: Final = """# Faults

What went wrong on purpose while a change was brought to a pair of virtual routers, and what came of it. Each case was really run, by
`make test-faults`: real routers, real keepalived, and where the fault is one of the manager's, real workers, Redis and database. What is
not here was not run. A case passes only if

* both routers hold wholly the old or wholly the new state, byte for byte and rule for rule, and the run's end says which;
* what others have on the routers is as it was (what others merely run is lost by a reboot, with or without lbftp);
* the next apply works without hand work, up to its last look at the routers.

A fault strikes as soon as the manager hears that the step is done; the router may be in its next step by then. Seconds are
from the start of the apply until both routers rested, in software emulation, with a guard of 40 to 150 s.

The series takes hours and goes on where it ended, while lbftp is worked on: a row is of the code of its day, and of the last run that
passed. What did not pass when it was run before is at the end.
"""
_BOUNDARIES: Final = """
## At every boundary between two steps

What both routers held after, and the seconds. Redis, a locked database and a stopped one a run gets over: it had so many of them, one
after the other. A database that takes nothing for longer than lbftp waits costs the run its worker. "Locked out" is a rule that lets
nobody begin a new connection to SSH; a change that brings such a rule itself is in `tests/workers/test_guard.py`.

"""
_ONCE: Final = """
## Once each

| when | what happened | both routers | the run's end | seconds | run on |
|---|---|---|---|---|---|
"""
_SAID: Final = """
## What the runs at the boundaries said

| when | what happened | the run's end | run on |
|---|---|---|---|
"""
_AGAIN: Final = """
## What passed only when it was run again

In the test's own words; between two runs of a case lbftp or the test may have been mended.

| when | what happened | why it did not pass |
|---|---|---|
"""
_COLUMNS: Final = (*faults.FAULTS, *test_workers.FAULTS, test_database.STOPPED)


def document(rows: Iterable[Row]) -> str:
    """Everything that was run, in its order: the last row of each case that passed, and what did not pass."""
    found: dict[tuple[str, str], Row] = {}
    missed: list[Row] = []
    for row in rows:
        if row.error:
            missed.append(row)
        if not row.error or row.key not in found:
            found[row.key] = row
    again = [row for row in missed if not found[row.key].error]
    places = [faults.words(place) for place in faults.places()]
    boundaries = [(place, fault) for fault in _COLUMNS for place in places if (place, fault) in found]
    once = [row for key, row in found.items() if key not in set(boundaries)]
    return "".join(
        (
            _HEAD,
            f"\n{sum(not row.error for row in found.values())} of {len(found)} cases passed, ",
            f"{len({row.key for row in again})} of them only when run again.\n",
            _BOUNDARIES,
            _line("", *_COLUMNS),
            f"|{'---|' * (len(_COLUMNS) + 1)}\n",
            *(_line(place, *(_cell(found, place, fault) for fault in _COLUMNS)) for place in places),
            _ONCE,
            *(_line(r.when, r.fault, _state(r), _end(r), str(r.seconds), r.date) for r in once),
            _SAID,
            *(_line(*key, _end(found[key]), found[key].date) for key in boundaries),
            *((_AGAIN, *(_line(*row.key, _short(row.error)) for row in again)) if again else ()),
        )
    )


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def _cell(found: Mapping[tuple[str, str], Row], place: str, fault: str) -> str:
    row = found.get((place, fault))
    return f"{_state(row)} {row.seconds}" if row else "not run"


def _state(row: Row) -> str:
    return "**not passed**" if row.error else row.state


def _end(row: Row) -> str:
    said = " ".join(f"{row.run}: {row.said}".replace("|", "/").split())
    return f"{said} **Not passed**: {_short(row.error)}" if row.error else said


def _short(error: str) -> str:
    return f"`{' '.join(error.replace('|', '/').replace('`', '').split())[:200]}`"


if __name__ == "__main__":
    names = sys.argv[1:] or [str(results())]
    (ROOT / "docs" / "faults.md").write_text(document(row for name in names for row in every(Path(name))))
