"""The long series: every case that was run leaves a row in a file, so that the next start goes on where this one ended.

    LBFTP_BREAKAGES=all           every case instead of a sample
    LBFTP_BREAKAGES_RESULTS=FILE  where the rows are kept (default: breakages.jsonl in LBFTP_VAR)

`python -m tests.breakages.series FILE…` writes docs/breakages.md from the rows.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.breakages.cases import CASES, SAMPLE, Case

ROOT: Final = Path(__file__).resolve().parents[2]
ALL: Final = os.environ.get("LBFTP_BREAKAGES") == "all"
_HEAD: Final = """# Breakages

What was broken on purpose on a pair of virtual routers that worked, one thing at a time, and what a verification said of it. Each row
was really run, by `make test-breakages`: broken, verified (both routers looked at, real FTP sessions made) and mended, so that the next
verification finds nothing of it. A row passes only if what was broken was found, nothing else was blamed, just those sessions failed that
had to, and the explanation names the cause. What a finding's code means is in [findings.md](findings.md).

| what was broken | on | findings | FTP sessions | explanation | run on |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One case that was run."""

    name: str
    host: str
    findings: Sequence[str] = ()
    sessions: str = ""
    explanation: str = ""
    seconds: int = 0
    error: str = ""
    date: str = ""


def results() -> Path:
    given = os.environ.get("LBFTP_BREAKAGES_RESULTS")
    return Path(given) if given else Path(os.environ.get("LBFTP_VAR") or ROOT / "var") / "breakages.jsonl"


def read(path: Path) -> dict[str, Row]:
    """The last row of each case."""
    lines = path.read_text().splitlines() if path.exists() else []
    rows = (Row(**json.loads(line)) for line in lines)
    return {row.name: row for row in rows}


def write(row: Row) -> None:
    path = results()
    path.parent.mkdir(parents=True, exist_ok=True)
    dated = asdict(row) | {"date": datetime.now(UTC).date().isoformat()}
    with path.open("a") as file:
        file.write(json.dumps(dated) + "\n")


def chosen() -> list[Case]:
    """The sample; or all cases without a row that passed, the sample first and what did not pass last."""
    if not ALL:
        return list(SAMPLE)
    tried = {name: not row.error for name, row in read(results()).items()}
    new = sorted((case for case in CASES if case.name not in tried), key=lambda case: case not in SAMPLE)
    return [*new, *(case for case in CASES if tried.get(case.name) is False)]


def document(rows: Iterable[Row]) -> str:
    """The table of what passed, in the cases' order; what did not pass, or was not run, is said below it."""
    known = {row.name: row for row in rows}
    done = [known[case.name] for case in CASES if case.name in known]
    lines = [_line(row) for row in done if not row.error]
    idle = [f"* {case.name} ({case.host})" for case in CASES if case.name not in known]
    failed = [f"* {row.name} ({row.host}): {_flat(row.error)}" for row in done if row.error]
    return _HEAD + "\n".join(lines) + "\n" + _below("Not passed", failed) + _below("Not run yet", idle)


def _below(title: str, lines: Sequence[str]) -> str:
    return f"\n{title}:\n\n" + "\n".join(lines) + "\n" if lines else ""


def _line(row: Row) -> str:
    found = "<br>".join(_flat(text) for text in row.findings) or "-"
    return f"| {row.name} | {row.host} | {found} | {row.sessions} | {_flat(row.explanation) or '-'} | {row.date} |"


def _flat(text: str) -> str:
    return " ".join(text.replace("|", "/").replace("<", "").replace(">", "to").split())[:400]


if __name__ == "__main__":
    known: dict[str, Row] = {}
    for name in sys.argv[1:] or [str(results())]:
        known |= {key: row for key, row in read(Path(name)).items() if not row.error or key not in known}
    (ROOT / "docs" / "breakages.md").write_text(document(known.values()))
