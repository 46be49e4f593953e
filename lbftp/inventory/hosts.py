"""What the page of a router or a probe host shows: how far its enrolment is, and what was found on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lbftp.changes.models import Run
from lbftp.core import hostkey
from lbftp.core.spec import SpecError
from lbftp.inventory.models import Router, SshHost


@dataclass(frozen=True, slots=True)
class HostPage:
    """`stage` is a key of `_WORDS`: silent means no key came, changed that another one than the pinned key came."""

    host: SshHost
    kind: str
    stage: str
    run: Run | None
    offered: str
    pinned: str
    seq: int

    @property
    def live(self) -> bool:
        """Whether a worker is busy with it, so that the page should keep looking."""
        return self.run is not None and self.run.state in (Run.State.QUEUED, Run.State.RUNNING)

    @property
    def beside(self) -> list[Router]:
        """The team's other routers that can be looked at: one of them is the other one of the pair."""
        return list(Router.objects.filter(team=self.host.team_id).exclude(pk=self.host.pk).exclude(host_key=""))

    @property
    def word(self) -> str:
        return _WORDS[self.stage][0]

    @property
    def look(self) -> str:
        return _WORDS[self.stage][1]


_WORDS = {
    "fetching": ("Fetching its key", "running"),
    "silent": ("Not reached", "failed"),
    "confirm": ("Key to confirm", "proposed"),
    "changed": ("Host key changed", "failed"),
    "looking": ("Looking at it", "running"),
    "unknown": ("Not looked at yet", "unknown"),
    "choose": ("Interfaces to choose", "proposed"),
    "ready": ("Ready", "ok"),
}


def page(host: SshHost) -> HostPage:
    """The page of one machine, with its newest run."""
    run = Run.objects.filter(host_kind=kind(host), host_id=host.pk).order_by("-pk").first()
    return _page(host, run)


def pages(found: Sequence[SshHost]) -> list[HostPage]:
    """The same for many, in two queries."""
    if not found:
        return []
    newest: dict[int | None, Run] = {}
    for run in Run.objects.filter(host_kind=kind(found[0]), host_id__in=[h.pk for h in found]).order_by("pk"):
        newest[run.host_id] = run
    return [_page(host, newest.get(host.pk)) for host in found]


def kind(host: SshHost) -> str:
    return host._meta.model_name or ""


def _page(host: SshHost, run: Run | None) -> HostPage:
    last = run.events.order_by("-seq").values_list("seq", flat=True).first() if run else 0
    return HostPage(
        host, kind(host), _stage(host, run), run, print_of(host.offered_key), print_of(host.host_key), last or 0
    )


def print_of(key: str) -> str:
    """The fingerprint of a key line, '' for none or for one that is none."""
    try:
        return hostkey.fingerprint(key) if key else ""
    except SpecError:
        return ""


def _stage(host: SshHost, run: Run | None) -> str:
    busy = run is not None and run.state in (Run.State.QUEUED, Run.State.RUNNING)
    if not host.offered_key and not host.host_key:
        return "fetching" if busy else "silent"
    if host.offered_key and host.offered_key != host.host_key:
        return "changed" if host.host_key else "confirm"
    return _stage_of_router(host, run, busy) if isinstance(host, Router) else "ready"


def _stage_of_router(router: Router, run: Run | None, busy: bool) -> str:
    if not router.facts:
        failed: Any = run is not None and run.state in (Run.State.FAILED, Run.State.ERRORED, Run.State.CANCELLED)
        return "looking" if busy else ("silent" if failed else "unknown")
    return "ready" if router.public_interface and router.internal_interface else "choose"
