"""A process of its own that asks one machine, so that its memory can be measured: `python -m tests.daemons.asking JSON`.

Prints JSON: the kind of error, its text, and by how many KiB the process grew at most.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

from lbftp.core.job import Access
from workers.errors import WorkError
from workers.remote import Limits, connect


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def ask(told: dict[str, Any]) -> dict[str, Any]:
    key = Path(told["key"]).read_text()
    access = Access("r1", "127.0.0.1", told["port"], told["user"], told["host_key"], key=key)
    before = peak()
    try:
        with connect(access, Limits(connect=5, program=20)) as remote:
            answer = remote.run("echo x\n", on_line=lambda _line: None)
        kind, text = "none", f"exit code {answer.code}, {len(answer.out)} bytes"
    except WorkError as error:
        kind, text = type(error).__name__, str(error)
    return {"kind": kind, "text": text, "grown": peak() - before}


if __name__ == "__main__":
    print(json.dumps(ask(json.loads(sys.argv[1]))))
