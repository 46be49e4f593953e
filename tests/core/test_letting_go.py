"""A router that was taken and on which no way back could be written is let go of: run by a real shell, in a folder that
stands for the router's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lbftp.core import program
from lbftp.core.ours import HOME

TOKEN = "token123"


def run(text: str, home: Path) -> subprocess.CompletedProcess[str]:
    script = text.replace(HOME, str(home))
    return subprocess.run(["sh"], input=script, capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize(("number", "stays"), [("7", False), ("71", True), ("8", True)])
def test_putting_back_what_was_never_begun_lets_go_of_our_own_lock_alone(
    tmp_path: Path, number: str, stays: bool
) -> None:
    taken = run(program.take(program.Hold("site", number, f"run-{number}-a", 60), TOKEN), tmp_path)
    assert taken.returncode == 0, taken.stdout + taken.stderr
    assert (tmp_path / "owner").read_text().startswith(f"site {number} ")
    done = run(program.guard.put_back("run-7-a", TOKEN), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing was changed here" in done.stdout
    assert (tmp_path / "owner").exists() == stays


def test_where_nothing_was_taken_there_is_nothing_to_let_go_of(tmp_path: Path) -> None:
    done = run(program.guard.put_back("run-7-a", TOKEN), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
