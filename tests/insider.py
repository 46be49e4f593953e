"""A process of a site that acts in it through the services, told line by line: JSON in, JSON out.

The site's database and settings are its own, so a test cannot act in it itself. One module is both sides: `Insider` in
the test, `serve` in the process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from django.db import close_old_connections

from ops.places import ROOT


class Insider:
    """The process `python -m MODULE`, which calls `serve`; `env` is the site's."""

    def __init__(self, module: str, env: dict[str, str]) -> None:
        argv, pipe = [sys.executable, "-m", module], subprocess.PIPE
        self._process = subprocess.Popen(argv, cwd=ROOT, env=env, stdin=pipe, stdout=pipe, text=True)

    def do(self, what: str, **values: Any) -> Any:
        """What the method `what` over there returns for `values`. AssertionError if it broke."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, **values}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the process broke at {what}; its words are on standard error"
        return json.loads(line)

    def stop(self) -> None:
        self._process.communicate(timeout=20)


def serve(stage: object) -> None:
    """Calls the methods of `stage` that the lines of standard input name, until there are no more. Each line is what a
    request is to a web server: no connection to the database is older."""
    for line in sys.stdin:
        close_old_connections()
        values = json.loads(line)
        answer = getattr(stage, values.pop("do"))(**values)
        print(json.dumps(answer), flush=True)
