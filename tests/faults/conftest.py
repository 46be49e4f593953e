"""The lab for faults, and the row that every case of a series leaves behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

import pytest

from lab import api
from tests.faults import series
from tests.workers.conftest import Bench


@dataclass(slots=True)
class Kept:
    """The row of the case that runs, filled in on the way."""

    row: series.Row


Recorder = Callable[[str, str], AbstractContextManager[Kept]]


def fresh() -> Bench:
    """The lab in its first state, unless the series has had its time."""
    if series.over():
        pytest.skip("the series has had its time")
    return Bench({host.name: host for host in api.reset().hosts})


@pytest.fixture
def bench() -> Bench:
    """The lab in its first state for every fault."""
    return fresh()


@pytest.fixture
def recorded() -> Recorder:
    """Around a case, with its place and fault: its row is written whether it passes or not."""

    @contextmanager
    def record(when: str, fault: str) -> Iterator[Kept]:
        kept, start = Kept(series.Row(when, fault)), time.monotonic()
        try:
            yield kept
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"[:500]
            series.write(replace(kept.row, seconds=round(time.monotonic() - start), error=text))
            raise
        series.write(kept.row)

    return record
