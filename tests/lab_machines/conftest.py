"""The running laboratory for tests. It is left running: other tests, and the next run, want it too."""

from __future__ import annotations

import pytest

from lab import api


@pytest.fixture(scope="session")
def lab_up() -> api.LabStatus:
    """The laboratory with every host answering, in its first state when the tests begin."""
    return api.reset()


@pytest.fixture
def fresh_lab(lab_up: api.LabStatus) -> api.LabStatus:
    """The laboratory in its first state."""
    return api.reset()
