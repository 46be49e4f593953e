"""Everything that can be said about the state of a pair: verification and compliance report this,
documented in docs/findings.md.

`lbftp.core.findings` compares with the plan, and decides whether an apply has arrived. What is
checked here beside that is the rest of the world: others' rules, what a boot will bring, what the
daemons think, how full tables are.
"""

from __future__ import annotations

from collections.abc import Mapping

from lbftp.core.checks import boot, consequence, fill, others, pair
from lbftp.core.findings import Finding, findings
from lbftp.core.observe.observed import Observed
from lbftp.core.preflight import preflight
from lbftp.core.spec import ClusterSpec

# Said more exactly by a finding of its own: the unit is masked.
_ELSEWHERE = frozenset({"FTP119"})


def check(spec: ClusterSpec, observed: Mapping[str, Observed]) -> list[Finding]:
    """All findings: against the plan, then everything else of each router, then of the pair."""
    found = findings(spec, observed)
    for name in sorted(observed):
        found += _router(spec, observed[name])
    return found + list(pair.check(spec, observed))


def _router(spec: ClusterSpec, observed: Observed) -> list[Finding]:
    unfit = [
        Finding(p.code, p.severity, observed.router, p.reason, "", "", p.remedy, repairable=False)
        for p in preflight(spec, observed)
        if p.code not in _ELSEWHERE
    ]
    rules = list(others.check(spec, observed))
    blamed = {f.found for f in rules}
    return [
        *unfit,
        *rules,
        *boot.check(spec, observed),
        *fill.check(spec, observed),
        *consequence.check(spec, observed, blamed),
    ]
