"""The lab's routers as a worker sees them: jobs with real accesses, a report that is collected, looks for comparing."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from lab import api
from lbftp.core.job import Access, Event, Job, Probe
from ops.demo import foreign
from tests.core.cases import GUIDE
from workers.kinds import KINDS
from workers.outcome import Outcome
from workers.remote import Limits
from workers.report import Report

_LOOK = """
cd /etc && find keepalived iptables sysconfig modules-load.d sysctl.d -type f 2>/dev/null | sort | xargs sha256sum
iptables-save | grep -v '^#'; cat /proc/sys/net/ipv4/ip_forward; ls /etc/systemd/system/*.wants
# The foreign service's only server is down: its own health check takes it out some time after a start.
if [ -e /proc/net/ip_vs ]; then ipvsadm -Sn | grep -v 10.0.50.80; fi
"""
_COUNTERS = re.compile(r"\[\d+:\d+\]")
# The lab shares its machine: what takes a second alone has taken a minute beside others.
LIMITS = Limits(connect=30, program=240)


@dataclass
class Seen:
    """Every event of a run, in order."""

    events: list[Event] = field(default_factory=list)

    def steps(self, router: str, state: str = "done") -> list[str]:
        return [
            e.data["id"] for e in self.events if e.kind == "step" and e.router == router and e.data["state"] == state
        ]

    def sessions(self) -> set[tuple[str, str, bool]]:
        return {(e.data["mode"], e.data["real_server"], e.data["ok"]) for e in self.events if e.kind == "session"}

    def findings(self) -> dict[tuple[str, str], dict[str, Any]]:
        return {(e.router, e.data["code"]): e.data for e in self.events if e.kind == "finding"}


@dataclass
class Bench:
    """Runs jobs on the lab's pair."""

    hosts: dict[str, api.HostStatus]
    seen: Seen = field(default_factory=Seen)
    limits: Limits = LIMITS

    def access(self, name: str, **changes: Any) -> Access:
        host = self.hosts[name]
        key = Path(host.key).read_text()
        return replace(Access(name, host.address, host.port, "root", host.host_key, key=key), **changes)

    def job(self, **changes: Any) -> Job:
        """`probe` stands for `probes` with that one alone, None for no probe."""
        client = Probe(
            self.access("client"),
            tuple(f"192.0.2.{n}" for n in range(50, 58)),
            "ftpuser",
            "probe.bin",
            "lab-ftp-password",
        )
        job = Job(1, "plan", 1, spec=GUIDE, routers=(self.access("r1"), self.access("r2")), probes=(client,))
        if "probe" in changes:
            probe = changes.pop("probe")
            changes["probes"] = (probe,) if probe else ()
        return replace(job, **changes)

    def do(self, kind: str, **changes: Any) -> Outcome:
        self.seen = Seen()
        job = self.job(kind=kind, **changes)
        return KINDS[kind](job, Report(self.seen.events.append, lambda: None), self.limits)

    def apply(self, **changes: Any) -> Outcome:
        """Plans, and applies that plan."""
        planned = self.do("plan", **changes)
        assert planned.plan is not None, planned.text
        return self.do("apply", approved_digest=planned.plan.digest, **changes)

    def sh(self, host: str, script: str) -> str:
        done = api.run(host, script)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def wait_for_boot(self, host: str) -> None:
        """Returns once the machine has booted anew and is through with starting its units."""
        before = self.sh(host, "cat /proc/sys/kernel/random/boot_id")
        end = time.monotonic() + 240
        while time.monotonic() < end:
            done = api.run(
                host, "cat /proc/sys/kernel/random/boot_id && systemctl is-system-running --wait", timeout=120
            )
            if done.stdout and not done.stdout.startswith(before):
                return
            time.sleep(2)
        raise AssertionError(f"{host} did not come back from its reboot")

    def look(self) -> dict[str, list[str]]:
        """What the routers hold of all that lbftp could change, without counters: equal if nothing was changed."""
        return {name: [_COUNTERS.sub("", x) for x in text.splitlines()] for name, text in self.both(_LOOK).items()}

    def both(self, script: str) -> dict[str, str]:
        """What `script` prints on each router, asked side by side."""
        with ThreadPoolExecutor(2) as pool:
            return dict(zip(("r1", "r2"), pool.map(lambda name: self.sh(name, script), ("r1", "r2")), strict=True))

    def foreign(self) -> dict[str, foreign.Look]:
        return {name: foreign.read(text) for name, text in self.both(foreign.SCRIPT).items()}


@pytest.fixture(scope="module")
def bench() -> Bench:
    """The lab in its first state when a module begins."""
    status = api.reset()
    return Bench({host.name: host for host in status.hosts})
