"""What the way back on one router is computed from, and what of the shared things has to stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from lbftp.core.observe.observed import Observed
from lbftp.core.ours import INCLUDE_DIR
from lbftp.core.plan import Change
from lbftp.core.problem import Problem, Severity
from lbftp.core.render import Desired, desired
from lbftp.core.rollback.record import Record
from lbftp.core.spec import FAMILIES, ClusterSpec
from lbftp.core.steps import Step

SINCE: Final = "LBF080"
OTHER: Final = "LBF081"
MISSING: Final = "LBF082"
ALREADY: Final = "LBF083"
ONE_SIDED: Final = "LBF084"
KEPT: Final = "LBF085"
UNKNOWN: Final = "LBF086"


@dataclass
class Way:
    """One router's way back. `own` are the cluster's records to go back past, `later` those of every cluster from the
    first of them on; both the newest first. Steps, changes and problems are collected here."""

    spec: ClusterSpec
    to: ClusterSpec | None
    others: Sequence[ClusterSpec]
    observed: Observed
    own: Sequence[Record]
    later: Sequence[Record]
    steps: list[Step] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def router(self) -> str:
        return self.observed.router

    @cached_property
    def needed(self) -> list[Desired]:
        """What has to be there afterwards: of the revision that is gone back to, and of the other clusters."""
        specs = [s for s in (self.to, *self.others) if s is not None]
        return [desired(s, self.observed) for s in specs if self.router in {r.name for r in s.routers}]

    @cached_property
    def strangers(self) -> tuple[str, ...]:
        """Clusters that keepalived here reads and this site does not know to be here."""
        known = {self.spec.name, *(s.name for s in self.others)}
        paths = [p for p, text in self.observed.files.items() if text is not None and p.startswith(f"{INCLUDE_DIR}/")]
        names = {p.rpartition("/")[2].removesuffix(".conf") for p in paths if p.endswith(".conf")}
        return tuple(sorted(n for n in names - known if not n.endswith(".group")))

    @property
    def shared(self) -> frozenset[str]:
        """Files that belong to no single cluster and no group of them."""
        saved = {self.observed.facts.saved_path(f) for f in FAMILIES}
        ours = {s.params["path"] for r in self.own for s in r.steps if "path" in s.params}
        return frozenset(p for p in ours - saved if not p.startswith(f"{INCLUDE_DIR}/"))

    def problem(self, code: str, reason: str, remedy: str, *, stops: bool = True) -> None:
        severity: Severity = "error" if stops else "info"
        self.problems.append(Problem(code, severity, "routers", f"{self.router}: {reason}", remedy, self.router))

    def kept(self, what: str) -> None:
        self.problem(KEPT, f"{what} stays: it is needed by what remains here.", "", stops=False)

    def firsts(self, kind: str, key: str) -> dict[str, Step]:
        """By the parameter `key`, the oldest step of this kind that is to be undone; repairs are left out."""
        found: dict[str, Step] = {}
        for record in self.own:
            if not record.repair:
                found |= {s.params[key]: s for s in record.steps if s.kind == kind}
        return found
