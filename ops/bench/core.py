"""What the pure core takes for large inputs, beside the least that any program would do for the same.

`floor` reads the same text, or the same real servers, and does nothing with it but split it: a ratio of 0.1 says that
we take ten times as long as that.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from lbftp.core.lint import lint
from lbftp.core.observe import iptables
from lbftp.core.observe.answer import observed, unframe
from lbftp.core.observe.observed import Observed
from lbftp.core.plan import plan
from lbftp.core.spec import ClusterSpec, RealServerSpec, from_json, to_json
from ops.bench.filter import RULES, listing

SERVERS: Final = 64
_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of CPU of one round, the best of several."""

    job: str
    tool: str
    seconds: float


def measure(spec: ClusterSpec, answers: dict[str, bytes]) -> list[Measured]:
    """Every job of the core, each with its floor first. `spec` and `answers` are of a pair that was looked at."""
    rules = listing()
    large = _large(spec)
    pair = {name: observed(name, answer) for name, answer in answers.items()}
    text = json.dumps(to_json(large))
    pairs: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
        (f"parse {RULES} rules", lambda: [line.split() for line in rules.split("\n")], lambda: iptables.parse(rules)),
        ("read a router's answer", lambda: _split(answers), lambda: _observe(answers)),
        (f"plan for {SERVERS} servers", lambda: from_json(json.loads(text)), lambda: plan(large, pair)),
        (f"lint of {SERVERS} servers", lambda: from_json(json.loads(text)), lambda: lint(large)),
    ]
    found = []
    for job, floor, ours in pairs:
        found += [Measured(job, "floor", _best(floor)), Measured(job, "lbftp", _best(ours))]
    return found


def recorded(folder: Path) -> dict[str, bytes]:
    """Answers of real routers, as the tests keep them."""
    return {name: (folder / f"{name}-fresh.answer").read_bytes() for name in ("r1", "r2")}


def _split(answers: dict[str, bytes]) -> list[list[bytes]]:
    return [part.split() for answer in answers.values() for part in unframe(answer).values()]


def _observe(answers: dict[str, bytes]) -> list[Observed]:
    return [observed(name, answer) for name, answer in answers.items()]


def _large(spec: ClusterSpec) -> ClusterSpec:
    servers = (RealServerSpec(f"ftp{n}", IPv4Address(f"10.0.50.{n}")) for n in range(11, 11 + SERVERS))
    return replace(spec, real_servers=tuple(servers))


def _best(job: Callable[[], object]) -> float:
    """Seconds of CPU of the quickest round within about a second: other programs run on this machine too."""
    best, end = float("inf"), time.perf_counter() + _SECONDS
    while time.perf_counter() < end or best == float("inf"):
        start = time.process_time()
        job()
        best = min(best, time.process_time() - start)
    return best
