"""The sessions that go on beside a failover, with a real FTP server: told when they die, and there again afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ops.bootstrap import UNPACK_INTO
from tests.workers.ftp_server import PASSWORD
from tests.workers.test_probe_sessions import ALONE, AS_ROOT, ROOT
from workers.proofs.traffic import HELD, program

# The server's processes of sessions die, the one that listens lives.
_STRIKE = """
import os, signal
def strike():
    time.sleep(3)
    pids = [int(p.name) for p in pathlib.Path("/proc").iterdir() if p.name.isdigit()]
    found = sorted(p for p in pids if pathlib.Path(f"/proc/{p}/comm").read_text().strip() == "vsftpd")
    for pid in found[1:]:
        os.kill(pid, signal.SIGKILL)
threading.Thread(target=strike).start()
"""


def test_sessions_are_lost_and_come_back(tmp_path: Path) -> None:
    job: dict[str, Any] = {"username": "ftp", "password": PASSWORD, "path": "hello", "address": "127.0.0.1"}
    job |= {"port": 21, "sources": [], "held": HELD, "seconds": 8, "stop": str(tmp_path / "stop")}
    text = program(job)
    whole, _, call = text.rpartition("\nmain(")
    path = tmp_path / "program.py"
    path.write_text(f"{whole}\n{_STRIKE}\nmain({call}")
    daemon = [sys.executable, "-m", "tests.workers.ftp_server", str(UNPACK_INTO), str(tmp_path), str(path), "21"]
    argv = [*AS_ROOT, *ALONE, *daemon]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    first = {f"session {n + 1}" for n in range(HELD)} | {"transfer"}
    by_state: dict[str, set[str]] = {}
    for row in rows:
        by_state.setdefault(row.get("state", "short"), set()).add(row.get("name", ""))
    assert by_state["lost"] == first
    assert by_state["up"] == first | {f"{name} (2)" for name in first}
    assert by_state["kept"] == {f"{name} (2)" for name in first}
    short = [row for row in rows if row["kind"] == "short"]
    assert len(short) >= 8
    assert sum(row["ok"] for row in short) >= len(short) - 2
