"""Waiting until a site answers, and what to show of its logs when it does not."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from ops.places import StackError


def wait_until_ready(base_url: str, logs: Path, *, alive: Callable[[], bool], seconds: float) -> None:
    """Return once `/readyz` answers 200. Raises StackError with the ends of the logs."""
    deadline = time.monotonic() + seconds
    said = "nobody answered"
    while time.monotonic() < deadline:
        if not alive():
            raise StackError(f"the site ended while it was starting\n{tails(logs)}")
        status, said = ask(f"{base_url}/readyz")
        if status == 200:
            return
        time.sleep(0.2)
    raise StackError(f"the site was not ready after {seconds:.0f} s: {said}\n{tails(logs)}")


def ask(url: str, timeout: float = 10) -> tuple[int, str]:
    """HTTP status and the beginning of the answer; 0 if nobody answers. Never by way of a proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout) as answer:
            return answer.status, answer.read(2000).decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read(2000).decode(errors="replace")
    except OSError as error:
        return 0, str(error)


def tails(logs: Path, lines: int = 8) -> str:
    """The last lines of each log."""
    parts: list[str] = []
    for path in sorted(logs.iterdir()):
        parts += [f"--- {path}", *path.read_text(errors="replace").splitlines()[-lines:]]
    return "\n".join(parts)
