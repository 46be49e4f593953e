"""The long series: every case that was run leaves a row in a file, so that the next start goes on where this one ended.

    LBFTP_FAULTS=all           every case instead of a sample
    LBFTP_FAULTS_RESULTS=FILE  where the rows are kept (default: faults.jsonl in LBFTP_VAR)
    LBFTP_FAULTS_SHARD=1/2     every second of the cases
    LBFTP_FAULTS_SECONDS=3600  no case begins later than this

`python -m tests.faults.table` writes docs/faults.md from the rows.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

Case = TypeVar("Case")
ROOT: Final = Path(__file__).resolve().parents[2]
ALL: Final = os.environ.get("LBFTP_FAULTS") == "all"
_STARTED: Final = time.monotonic()


@dataclass(frozen=True, slots=True)
class Row:
    """One case that was run. `when` is a step's end ("r2: rules") or words; `state` is what both routers held after."""

    when: str
    fault: str
    state: str = ""
    run: str = ""
    said: str = ""
    seconds: int = 0
    again: bool = False
    error: str = ""
    date: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.when, self.fault


def results() -> Path:
    given = os.environ.get("LBFTP_FAULTS_RESULTS")
    return Path(given) if given else Path(os.environ.get("LBFTP_VAR") or ROOT / "var") / "faults.jsonl"


def read(path: Path) -> list[Row]:
    """The last row of each case, in the order in which they were first run."""
    return list({row.key: row for row in every(path)}.values())


def every(path: Path) -> list[Row]:
    """All rows, of cases that were run several times as well."""
    return [Row(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def write(row: Row) -> None:
    path = results()
    path.parent.mkdir(parents=True, exist_ok=True)
    dated = asdict(row) | {"date": datetime.now(UTC).date().isoformat()}
    with path.open("a") as file:
        file.write(json.dumps(dated) + "\n")


def left(cases: Sequence[Case], keys: Sequence[tuple[str, str]]) -> list[Case]:
    """Of this shard, the cases without a row that passed; what did not pass comes last."""
    number, shards = (int(n) for n in os.environ.get("LBFTP_FAULTS_SHARD", "1/1").split("/"))
    tried = {row.key: not row.error for row in read(results())}
    mine = list(zip(cases, keys, strict=True))[number - 1 :: shards]
    new = [case for case, key in mine if key not in tried]
    return [*new, *(case for case, key in mine if tried.get(key) is False)]


def over() -> bool:
    """Whether no case is to begin any more."""
    return time.monotonic() - _STARTED > float(os.environ.get("LBFTP_FAULTS_SECONDS", "inf"))
