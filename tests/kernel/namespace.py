"""A network namespace of its own, with real iptables and nft in it. Nothing outside of it is touched."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Namespace:
    """Commands in the namespace that `process` holds open."""

    def __init__(self, process: subprocess.Popen[str], lock: Path) -> None:
        self._enter = ["nsenter", f"--target={process.pid}", "--user", "--net", "--preserve-credentials", "--"]
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        self._environment = os.environ | {"XTABLES_LOCKFILE": str(lock), "PATH": path, "LC_ALL": "C"}

    def run(self, *argv: str, given: str = "") -> str:
        """What the command wrote. One that fails ends the test with what it said."""
        done = self._run(argv, given)
        assert done.returncode == 0, f"{argv}: {done.stderr}\n{given}"
        return done.stdout

    def works(self, *argv: str) -> bool:
        return self._run(argv, "").returncode == 0

    def _run(self, argv: tuple[str, ...], given: str) -> subprocess.CompletedProcess[str]:
        command = [*self._enter, *argv]
        return subprocess.run(
            command, input=given, capture_output=True, text=True, check=False, env=self._environment, timeout=60
        )


@contextmanager
def namespace() -> Iterator[Namespace]:
    with tempfile.TemporaryDirectory() as folder:
        argv = ["unshare", "--map-root-user", "--net", "sh", "-c", "echo ready; exec cat"]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield Namespace(process, Path(folder) / "lock")
        finally:
            process.stdin.close()
            process.stdout.close()
            process.wait(10)
