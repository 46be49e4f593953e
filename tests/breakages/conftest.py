"""A cluster that works, for all cases: one reset of the lab and one apply."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from lab import api
from lab.places import LabError
from lbftp.core.checks.state import check
from lbftp.core.findings import Finding
from lbftp.core.observe.observed import Observed
from tests.breakages import series
from tests.breakages.cases import Case
from tests.core.cases import GUIDE
from tests.workers.conftest import LIMITS, Bench
from workers.errors import WorkError
from workers.observe import connected, look

# After this long without findings gone the pair counts as not mended.
_PATIENCE = 90
_CONNECT = (
    """python3 -c "import socket; socket.create_connection(('192.0.2.100', 21), 20, ('192.0.2.$n', 0)).close()" """
)


@dataclass(slots=True)
class Seen:
    """What one verification said. `fails` are the modes whose sessions failed."""

    findings: list[dict[str, Any]]
    sessions: list[dict[str, Any]]
    reasons: list[str] = field(default_factory=list)

    @property
    def fails(self) -> frozenset[str]:
        return frozenset(row["mode"] for row in self.sessions if not row["ok"])

    def codes(self) -> set[tuple[str, str]]:
        return {(f["router"], f["code"]) for f in self.findings if f["severity"] != "info"}


@dataclass(slots=True)
class Cluster:
    """The guide's cluster on the lab's pair."""

    bench: Bench
    clean: bool = True

    def run(self, *scripts: tuple[str, str]) -> None:
        """Scripts by host, side by side; each has to end well."""
        with ThreadPoolExecutor(2) as pool:
            for done in pool.map(lambda one: (one[0], api.run(one[0], one[1], timeout=200)), scripts):
                assert done[1].returncode == 0, (done[0], done[1].stderr, done[1].stdout)

    def verified(self) -> Seen:
        uploading = tuple(replace(probe, upload=".") for probe in self.bench.job().probes)
        self.bench.do("verify", probes=uploading)
        events = self.bench.seen.events
        found = [{**e.data, "router": e.router} for e in events if e.kind == "finding"]
        seen = Seen(found, [e.data for e in events if e.kind == "session"])
        seen.reasons = self._reasons(seen)
        return seen

    def _reasons(self, seen: Seen) -> list[str]:
        """Why sessions failed: what the sessions' own explanation says, and what the servers' settings do."""
        bad = [row for row in seen.sessions if not row["ok"]]
        reasons = [f"{row['why']['hop']}: {row['why']['reason']}" for row in bad if row.get("why")]
        reasons += [f["what"] for f in seen.findings if f["code"] in {"mode-fails", "rule-drops"}]
        return list(dict.fromkeys(reasons))

    def look(self) -> Mapping[str, Observed]:
        with connected(self.bench.job().routers, LIMITS) as pair:
            return look(pair)

    def findings(self) -> list[Finding]:
        return [f for f in check(GUIDE, self.look()) if f.severity != "info"]

    def rest(self) -> None:
        """Returns when nothing is found any more."""
        end = time.monotonic() + _PATIENCE
        while left := self.findings():
            assert time.monotonic() < end, f"not mended: {[(f.router, f.code, f.what) for f in left]}"
            time.sleep(1)

    def spread(self) -> None:
        """Some of the client's addresses held to each server, whatever persistence has made of them before."""
        for away, last in (("10.0.50.12", "50 51 52 53"), ("10.0.50.11", "54 55 56 57")):
            weigh = f"ipvsadm -e -f 21 -r {away}:0 -m -w"
            self.run(("r1", f"sysctl -qw net.ipv4.vs.expire_quiescent_template=1 && {weigh} 0"))
            self.run(("client", f"for n in {last}; do {_CONNECT}; done"))
            self.run(("r1", f"{weigh} 1 && sysctl -qw net.ipv4.vs.expire_quiescent_template=0"))

    def broken(self, case: Case) -> Iterator[None]:
        """Broken inside, mended afterwards. Whether it is, the next verification tells, which may find nothing else."""
        if not self.clean:
            self.rest()
        self.clean = False
        if case.host not in {"r1", "r2"}:
            self.spread()
        try:
            self.run((case.host, case.breaks))
            self.run(*case.first)
            yield
            self.clean = True
        finally:
            self.run((case.host, case.mends))
            self.run(*case.then)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Applied without sessions: as long as none were made, the helper module can be unloaded.

    A series that goes on takes a pair that stands clean as it is.
    """
    if series.ALL and (standing := _standing()) is not None:
        yield standing
    else:
        bench = Bench({host.name: host for host in api.reset().hosts})
        outcome = bench.apply(probes=())
        assert outcome.state == "succeeded", outcome.text
        yield Cluster(bench)


def _standing() -> Cluster | None:
    """The pair as it is, if the cluster is applied and nothing is found."""
    hosts = {host.name: host for host in api.status().hosts}
    try:
        found = Cluster(Bench(hosts))
        return None if found.findings() else found
    except (LabError, WorkError, KeyError, OSError):
        return None
