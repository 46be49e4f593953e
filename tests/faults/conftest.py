"""The lab for faults, and the table that a whole series leaves behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from lab import api
from tests.workers.conftest import Bench

ROOT: Final = Path(__file__).resolve().parents[2]
_HEAD: Final = """# Faults

Each fault strikes when the named step is done. Afterwards both routers hold wholly the old or wholly the new state, what is foreign is as it
was, and the next apply works without hand work. Made by `make test-faults`.

| after the step | fault | both routers | the run says |
|---|---|---|---|
"""


@pytest.fixture
def bench() -> Bench:
    """The lab in its first state for every fault."""
    return Bench({host.name: host for host in api.reset().hosts})


@pytest.fixture(scope="session")
def table() -> Iterator[list[str]]:
    """Rows for docs/faults.md; written only by a whole series."""
    rows: list[str] = []
    yield rows
    if os.environ.get("LBFTP_FAULTS") == "all" and rows:
        (ROOT / "docs" / "faults.md").write_text(_HEAD + "\n".join(rows) + "\n")
