"""`python -m ops.bench`: the table, and var/bench/latest.json. LBFTP_BENCH_ROUTERS says how many routers (20)."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ops import processes
from ops.bench import core
from ops.bench.sshd import private_sshd
from ops.places import ROOT, StackError
from ops.signals import interruptible
from tests.core.cases import DATA, GUIDE

# What is done, and by whom: the first tool of each job is its floor.
JOBS = {
    "observe": ("ssh", "lbftp", "lbftp, connections kept"),
    "live numbers": ("ssh, one command", "lbftp, one look"),
}
ROUNDS = 3
PARALLEL = 32
_COLUMNS = ("job", "tool", "routers", "rate_per_s", "cpu_s_per_router", "peak_mib", "ratio_to_floor")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `ratio_to_floor`: how many times as fast as plain ssh; more is better."""

    job: str
    tool: str
    routers: int
    rate_per_s: float
    cpu_s_per_router: float
    peak_mib: float
    ratio_to_floor: float


def main() -> int:
    interruptible()
    folder = Path(os.environ.get("LBFTP_VAR") or ROOT / "var").resolve() / "bench"
    try:
        rows = run(folder, int(os.environ.get("LBFTP_BENCH_ROUTERS") or 20))
    except StackError as error:
        print(f"lbftp: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    rows += core_rows()
    (folder / "latest.json").write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    print(table(rows))
    return 0


def run(folder: Path, routers: int) -> list[Row]:
    """Every tool in turn, a few rounds; the median of each counts."""
    with private_sshd(folder / "sshd") as target:
        setup = {**asdict(target), "folder": str(folder), "routers": routers, "parallel": PARALLEL}
        return [row for job, tools in JOBS.items() for row in _rows(job, tools, setup)]


def _rows(job: str, tools: Sequence[str], setup: dict[str, Any]) -> list[Row]:
    routers = int(setup["routers"])
    samples = {tool: [_sample(tool, setup) for _ in range(ROUNDS)] for tool in tools}
    rates = {tool: routers / statistics.median(s["seconds"] for s in found) for tool, found in samples.items()}
    return [
        Row(
            job=job,
            tool=tool,
            routers=routers,
            rate_per_s=round(rates[tool], 2),
            cpu_s_per_router=round(statistics.median(s["cpu"] for s in samples[tool]) / routers, 4),
            peak_mib=round(max(s["peak_mib"] for s in samples[tool]), 1),
            ratio_to_floor=round(rates[tool] / rates[tools[0]], 2),
        )
        for tool in tools
    ]


def core_rows() -> list[Row]:
    """What needs no router: seconds of CPU and the ratio to the least work on the same input."""
    found = core.measure(GUIDE, core.recorded(DATA))
    floors = {m.job: m.seconds for m in found if m.tool == "floor"}
    return [
        Row(
            job=m.job,
            tool=m.tool,
            routers=len(GUIDE.routers),
            rate_per_s=round(1 / m.seconds, 2),
            cpu_s_per_router=round(m.seconds / len(GUIDE.routers), 5),
            peak_mib=0.0,
            ratio_to_floor=round(floors[m.job] / m.seconds, 3),
        )
        for m in found
    ]


def _sample(tool: str, setup: dict[str, Any]) -> dict[str, float]:
    """One round in a process of its own. The peak is that of all its processes together (not of the routers)."""
    mark = f"bench-{os.getpid()}"
    argv = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-m", "ops.bench.tools", tool, json.dumps(setup)]
    env = os.environ | {processes.MARK: mark}
    with subprocess.Popen(
        argv, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as tools:
        peak = 0.0
        while tools.poll() is None:
            peak = max(peak, sum(map(_memory, processes.marked(mark))))
            time.sleep(0.05)
        said = tools.stdout.read() if tools.stdout else ""
    if tools.returncode:
        raise StackError(f"{tool} failed with status {tools.returncode}")
    found: dict[str, float] = json.loads(said)
    return found | {"peak_mib": peak}


def _memory(pid: int) -> float:
    """MiB that a process holds, shared pages divided by their users; 0 if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def table(rows: list[Row]) -> str:
    """Columns for people."""
    cells = [list(_COLUMNS), *([str(value) for value in asdict(row).values()] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_COLUMNS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


if __name__ == "__main__":
    sys.exit(main())
