"""The contestants. Each runs in a process of its own: `python -m ops.bench.tools NAME SETUP` prints one JSON line.

All run the same observation program on every router and get its whole answer back; lbftp reads it into values as well.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lbftp.core.job import Access, Look
from lbftp.core.observe.program import program
from tests.core.cases import GUIDE
from workers.observe import look_at
from workers.remote import Limits, connect
from workers.sampling import sample

# What stands in for routers listens on the loopback.
os.environ.setdefault("LBFTP_ENROL_NETWORKS", "127.0.0.0/8")
LIMITS = Limits(connect=30, program=120)


def ssh(setup: dict[str, Any]) -> None:
    """The floor: plain ssh from xargs, keys pinned, the program on standard input."""
    _plain(setup, program())


def ssh_one_command(setup: dict[str, Any]) -> None:
    """The same with the least that tells anything of a router."""
    _plain(setup, "cat /proc/uptime")


def _plain(setup: dict[str, Any], text: str) -> None:
    source = Path(setup["folder"]) / "program.sh"
    source.write_text(text)
    options = f"-F none -o BatchMode=yes -o IdentitiesOnly=yes -o UserKnownHostsFile={setup['known_hosts']}"
    call = f"ssh {options} -i {setup['key']} -p {setup['port']} {setup['user']}@127.0.0.1 sh -s < {source} > /dev/null"
    numbers = "\n".join(map(str, range(setup["routers"])))
    argv = ["xargs", "-P", str(setup["parallel"]), "-n", "1", "sh", "-c", call, "router"]
    subprocess.run(argv, input=numbers, text=True, check=True)


def lbftp(setup: dict[str, Any]) -> None:
    """A fresh connection to each router, as a compliance run makes it."""

    def one(access: Access) -> None:
        with connect(access, LIMITS) as remote:
            look_at(access.name, remote)

    with ThreadPoolExecutor(setup["parallel"]) as pool:
        list(pool.map(one, accesses(setup)))


def lbftp_again(setup: dict[str, Any]) -> Callable[[], None]:
    """Over connections that are open already, as the second look of an apply has them."""
    stack = ExitStack()
    with ThreadPoolExecutor(setup["parallel"]) as pool:
        remotes = list(pool.map(lambda access: stack.enter_context(connect(access, LIMITS)), accesses(setup)))

    def again(_open: ExitStack = stack) -> None:  # holding the stack holds the connections
        with ThreadPoolExecutor(setup["parallel"]) as pool:
            list(pool.map(lambda remote: look_at(remote.access.name, remote), remotes))

    return again


def look(setup: dict[str, Any]) -> None:
    """Live numbers, as a worker takes them: a fresh connection each, the answer read into values."""
    looks = [Look(n, 1, access, {1: GUIDE}) for n, access in enumerate(accesses(setup))]
    for one, found in sample(looks, LIMITS):
        if isinstance(found, str):
            raise RuntimeError(f"{one.access.name}: {found}")


def accesses(setup: dict[str, Any]) -> list[Access]:
    """The logical routers: all the same server."""
    key = Path(setup["key"]).read_text()
    return [
        Access(f"router{number}", "127.0.0.1", setup["port"], setup["user"], setup["host_key"], key=key)
        for number in range(setup["routers"])
    ]


def measure(work: Callable[[], None]) -> dict[str, float]:
    """Wall seconds, and processor seconds of this process and the children it waited for."""
    before, began = _cpu(), time.monotonic()
    work()
    return {"seconds": time.monotonic() - began, "cpu": _cpu() - before}


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main(name: str, setup: dict[str, Any]) -> int:
    contestants: dict[str, Callable[[], Callable[[], None]]] = {
        "ssh": lambda: lambda: ssh(setup),
        "lbftp": lambda: lambda: lbftp(setup),
        "ssh, one command": lambda: lambda: ssh_one_command(setup),
        "lbftp, one look": lambda: lambda: look(setup),
        "lbftp, connections kept": lambda: lbftp_again(setup),
    }
    print(json.dumps(measure(contestants[name]())), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], json.loads(sys.argv[2])))
