"""What pages show of proofs and maintenance: what was last proven, who rests, when the window opens."""

from __future__ import annotations

from dataclasses import dataclass

from lbftp import database
from lbftp.changes.models import Run
from lbftp.clusters.models import Cluster
from lbftp.compliance.services import in_words
from lbftp.proofs.models import Rest, Window
from lbftp.proofs.services import rests, windows
from lbftp.proofs.told import KINDS, in_short

_NAMES = {"restart": "Restart", "reboot": "Reboot", "failover": "Failover"}


@dataclass(frozen=True, slots=True)
class Last:
    """A kind of proof and its newest run that came to an end (None: it was never tried)."""

    kind: str
    name: str
    run: Run | None

    @property
    def words(self) -> str:
        return in_short(self.kind, self.run.state, self.run.result) if self.run else "never tried"


@dataclass(frozen=True, slots=True)
class Hours:
    """The window in words: `until` when it is open (else ''), when it `opens` next, in its own zone."""

    window: Window
    words: str
    until: str
    opens: str


@dataclass(frozen=True, slots=True)
class Standing:
    """`routers`: those of what is applied, each with its rest (None: in service)."""

    cluster: Cluster
    proofs: list[Last]
    routers: list[tuple[str, Rest | None]]
    hours: Hours | None

    @property
    def resting(self) -> list[Rest]:
        return [rest for _, rest in self.routers if rest]


def standing(cluster: Cluster) -> Standing:
    names = [str(r["name"]) for r in cluster.applied.spec["routers"]] if cluster.applied else []
    out = rests.resting(cluster.team, names)
    routers = [(name, out.get(name)) for name in names]
    return Standing(cluster, [_last(cluster, kind) for kind in KINDS], routers, hours(cluster))


def hours(cluster: Cluster) -> Hours | None:
    window, now = windows.window_of(cluster), database.now()
    if window is None:
        return None
    until, opens = windows.open_until(window, now), windows.opens_next(window, now)
    # As text: a page would show a moment in the site's zone.
    return Hours(
        window,
        in_words(window.cron),
        f"{until:%H:%M %Z}" if until else "",
        f"{opens:%a %-d %b, %H:%M %Z}" if opens else "",
    )


def past(cluster: Cluster) -> list[tuple[Run, str]]:
    """The newest runs of these kinds with what came of them."""
    runs = cluster.runs.filter(kind__in=windows.COVERED, dry=False).select_related("started_by")[:30]
    return [(run, in_short(run.kind, run.state, run.result) if run.kind in KINDS else run.outcome) for run in runs]


def _last(cluster: Cluster, kind: str) -> Last:
    run = cluster.runs.filter(kind=kind, dry=False, ended_at__isnull=False).first()
    return Last(kind, _NAMES[kind], run)
