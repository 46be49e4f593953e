"""What clients would meet on a router as it is, whether it holds the VIP or not: a backup that would fail is found out
before it is needed."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from lbftp.core.findings import Finding, finding
from lbftp.core.observe.observed import Observed
from lbftp.core.path import Explanation, explain, label
from lbftp.core.promise import promised
from lbftp.core.spec import ClusterSpec


def failing(spec: ClusterSpec, observed: Observed) -> list[Explanation]:
    """The promised kinds of clients that cannot work through the router."""
    return [e for e in explain(spec, promised(spec), observed) if not e.kept]


def kinds(spec: ClusterSpec, found: Collection[Explanation]) -> str:
    """For people: 'PASV and EPSV', 'all modes'."""
    if len(found) == len(promised(spec)):
        return "all modes"
    *first, last = [label(spec, e.client).upper() for e in found]
    return f"{', '.join(first)} and {last}" if first else last


def check(spec: ClusterSpec, observed: Observed, blamed: Collection[str]) -> Iterator[Finding]:
    """One finding a reason. `blamed` are rules that have a finding of their own, which says as much."""
    if observed.unit("keepalived.service").active != "active":
        # Nothing of the service is there, and that is said.
        return
    reasons: dict[str, list[Explanation]] = {}
    for one in failing(spec, observed):
        if one.prediction.hops[-1].by not in blamed:
            reasons.setdefault(one.prediction.reason, []).append(one)
    for reason, found in reasons.items():
        fields = {"kinds": kinds(spec, found), "reason": reason.rstrip(".")}
        yield finding("mode-fails", observed.router, "ok", found[0].prediction.outcome, **fields)
