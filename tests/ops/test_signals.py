"""Interrupting what make runs, however the signal comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ops.places import ROOT

WORK = """
import time
from ops.signals import interruptible
try:
    interruptible()
    print("working", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("tidied up", flush=True)
    raise SystemExit(130)
"""


@pytest.fixture
def makefile(tmp_path: Path) -> Path:
    (tmp_path / "work.py").write_text(WORK)
    path = tmp_path / "Makefile"
    path.write_text(f"work:\n\t@exec env PYTHONPATH={ROOT} {sys.executable} {tmp_path}/work.py\n")
    return path


# Nobody can tidy up after a SIGKILL to the whole group; see test_watch.py for what happens then.
@pytest.mark.parametrize(
    ("number", "whole_group"),
    [
        (signal.SIGINT, True),
        (signal.SIGINT, False),
        (signal.SIGTERM, True),
        (signal.SIGTERM, False),
        (signal.SIGKILL, False),
    ],
)
def test_a_signal_to_make_ends_its_work(makefile: Path, number: signal.Signals, whole_group: bool) -> None:
    argv = ["make", "-s", "-f", str(makefile), "work"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True) as make:
        assert make.stdout is not None
        assert make.stdout.readline() == "working\n"
        if whole_group:
            os.killpg(make.pid, number)
        else:
            make.send_signal(number)
        assert make.stdout.read() == "tidied up\n"
