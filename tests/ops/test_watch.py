"""What is to be done after a death is done after SIGKILL, and not done after an orderly end."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from ops.places import ROOT

HOLDER = """
import sys, time
from ops.watch import on_death
with on_death(["touch", sys.argv[1]]):
    print("inside", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def test_after_an_orderly_end_nothing_is_done(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", HOLDER, str(tmp_path / "sign"), "0"], cwd=ROOT, check=False)
    assert done.returncode == 0
    assert not (tmp_path / "sign").exists()


def test_after_a_kill_it_is_done(tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(sign), "60"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        holder.kill()
    deadline = time.monotonic() + 10
    while not sign.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sign.exists()
