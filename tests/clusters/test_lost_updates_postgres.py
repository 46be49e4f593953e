"""The same on PostgreSQL, where two really write at once and a row is held by a lock instead of the whole database."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lbftp import settings


def test_nothing_is_removed_unseen_on_postgresql(tmp_path: Path) -> None:
    files = ["tests/clusters/test_lost_updates.py", "tests/web/test_web_lost_settings.py"]
    pytest_ = [sys.executable, "-m", "pytest", *files, "-q", "-p", "no:cacheprovider", "-k", "instant"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.postgres", *pytest_],
        cwd=settings.BASE_DIR,
        env={**os.environ, "LBFTP_VAR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "2 passed" in done.stdout
