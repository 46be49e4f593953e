"""A network namespace of its own, with real iptables and nft in it, and if asked for with an /etc of its own.

Nothing outside of it is touched.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

# A copy, so that what programs need of /etc is there and what they write goes nowhere.
_OWN_ETC = """
new=$(mktemp -d) && mount -t tmpfs -o mode=755 etc "$new" && cp -a /etc/. "$new/" 2>/dev/null
mount --move "$new" /etc && rmdir "$new" || exit 1
"""


class Namespace:
    """Commands in the namespace that `process` holds open."""

    def __init__(self, process: subprocess.Popen[str], lock: Path, *kinds: str) -> None:
        kept = [f"--{kind}" for kind in ("user", *kinds)]
        self._enter = ["nsenter", f"--target={process.pid}", *kept, "--preserve-credentials", "--"]
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        self._environment = os.environ | {"XTABLES_LOCKFILE": str(lock), "PATH": path, "LC_ALL": "C"}

    def run(self, *argv: str, given: str = "", **more: str) -> str:
        """What the command wrote; `more` are words for its environment. One that fails ends the test with what it said."""
        done = self._run(argv, given, more)
        assert done.returncode == 0, f"{argv}: {done.stderr}\n{done.stdout}\n{given}"
        return done.stdout

    def works(self, *argv: str, **more: str) -> bool:
        return self._run(argv, "", more).returncode == 0

    def start(self, *argv: str, output: IO[str], **more: str) -> subprocess.Popen[str]:
        """A command that goes on; whoever starts it ends it."""
        command, environment = [*self._enter, *argv], self._environment | more
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, text=True, env=environment
        )

    def _run(self, argv: tuple[str, ...], given: str, more: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._enter, *argv],
            input=given,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
            env=self._environment | more,
            timeout=60,
        )


@contextmanager
def namespace(*, own_etc: bool = False) -> Iterator[Namespace]:
    """With `own_etc` what is written to /etc in it is seen in it only."""
    kinds = ("net", "mount") if own_etc else ("net",)
    with tempfile.TemporaryDirectory() as folder:
        begin = f"{_OWN_ETC if own_etc else ''}echo ready; exec cat"
        argv = ["unshare", "--map-root-user", *(f"--{kind}" for kind in kinds), "sh", "-c", begin]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield Namespace(process, Path(folder) / "lock", *kinds)
        finally:
            process.stdin.close()
            process.stdout.close()
            process.wait(10)
