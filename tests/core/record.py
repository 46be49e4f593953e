"""Records anew what the lab's routers answer, before the guide's cluster is applied and after: python -m tests.core.record."""

from __future__ import annotations

import subprocess

from lab import api
from lbftp.core.observe.program import program
from tests.core.cases import DATA
from tests.workers.conftest import Bench


def record(bench: Bench, when: str) -> None:
    """Both routers' answers as they are now."""
    for name in ("r1", "r2"):
        host = bench.hosts[name]
        argv = ["ssh", "-p", str(host.port), "-i", host.key, "-o", "StrictHostKeyChecking=no"]
        argv += ["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", f"root@{host.address}", "sh -s"]
        answer = subprocess.run(argv, input=program().encode(), capture_output=True, check=True).stdout
        (DATA / f"{name}-{when}.answer").write_bytes(answer)


def main() -> None:
    bench = Bench({host.name: host for host in api.reset().hosts})
    record(bench, "fresh")
    outcome = bench.apply()
    assert outcome.state == "succeeded", outcome.text
    record(bench, "applied")


if __name__ == "__main__":
    main()
