"""The life of a run: started by people or schedules, claimed and finished by workers. The row is the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import structlog
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from lbftp import database, dispatch
from lbftp.accounts.models import Team
from lbftp.changes import origin, states
from lbftp.changes.errors import LostClaim, ServiceError
from lbftp.changes.models import ChangeRequest, Run
from lbftp.changes.services import beginning, claims, leases, outcomes
from lbftp.changes.services.durations import limits_of
from lbftp.changes.services.events import append, record
from lbftp.changes.services.jobs import job_for
from lbftp.changes.services.leases import holders, release_leases, take_leases
from lbftp.changes.services.orders import cancel, take_orders
from lbftp.clusters.models import Cluster, Revision
from lbftp.core.job import Event, Job, Orders
from lbftp.core.spec import SpecError
from lbftp.inventory.models import SshHost
from lbftp.live import publish

__all__ = [
    "cancel", "claim", "finish", "heartbeat", "holders", "job_again", "outgrown", "record", "release_leases",
    "send", "start", "take_leases",
]  # fmt: skip

log = structlog.get_logger(__name__)

_POISON: Final = (
    f"{claims.MAX_ATTEMPTS} workers died or fell silent over this run, so it is not tried again: "
    "look at the workers' log, then start a new run. What it changed on routers and nobody confirmed, their own guards "
    "put back."
)


def start(  # noqa: PLR0913 - the columns of the row
    *,
    kind: str,
    team: Team,
    user: User | None = None,
    cluster: Cluster | None = None,
    change: ChangeRequest | None = None,
    revision: Revision | None = None,
    host: SshHost | None = None,
    reapply: bool = False,
    dry: bool = False,
    router_ids: Sequence[int] = (),
    exemption: str = "",
) -> Run:
    """A new run, sent to a worker once the transaction commits. If sending fails, the sweep sends it later."""
    run = Run.objects.create(
        kind=kind,
        team=team,
        started_by=user,
        cluster=cluster,
        change=change,
        revision=revision,
        host_kind=host._meta.model_name or "" if host else "",
        host_id=host.pk if host else None,
        reapply=reapply,
        dry=dry,
        router_ids=list(router_ids),
        origin=origin.present(),
        exemption=exemption[:300],
    )
    transaction.on_commit(partial(send, run.pk))
    transaction.on_commit(partial(publish.fleet_hint, team.pk))
    return run


def send(run_id: int) -> bool:
    """Asks the broker for a worker; notes when. False if the broker is away."""
    run = Run.objects.select_related("cluster", "change", "revision").filter(pk=run_id).first()
    if run is None:
        return False
    limits = limits_of(run)
    if not dispatch.send_run(run_id, soft=limits.soft, hard=limits.hard):
        log.warning("run_not_sent", run=run_id)
        return False
    Run.objects.filter(pk=run_id).update(sent_at=database.now())
    return True


def outgrown(*, run_id: int, hard: int) -> bool:
    """Whether the run may take longer by now than the `hard` seconds that its message was given: a cluster's guards
    were told to wait longer meanwhile, or the message is of an older version."""
    run = Run.objects.select_related("cluster", "change", "revision").filter(pk=run_id).first()
    return run is not None and limits_of(run).hard > hard


def claim(*, run_id: int, worker: str) -> Job | None:
    """The job, if this worker is the one to do it: nobody has it, or whoever had it fell silent. Else None.

    A run that killed its workers `claims.MAX_ATTEMPTS` times ends as errored here, and so does one whose machines or
    secrets are gone.
    """
    with transaction.atomic():
        run = _claimed(run_id, worker)
        if run is None:
            return None
        if beginning.stopped(run):
            return None
        try:
            return job_for(run)
        except (ServiceError, SpecError, ImproperlyConfigured) as error:
            log.warning("run_without_job", run=run_id, error=str(error))
            outcomes.end(run, Run.State.ERRORED, str(error), {})
            return None


def job_again(*, run_id: int, fence: int) -> Job:
    """The job of a claimed run as of now: what others did meanwhile is in it. Raises LostClaim, Refused, SpecError;
    LostClaim as well for a run that nobody may begin any more, which is ended by that."""
    with transaction.atomic():
        run = claims.holding(run_id, fence)
        if not beginning.stopped(run):
            return job_for(run)
    raise LostClaim(f"run {run_id} may not begin any more")


def _claimed(run_id: int, worker: str) -> Run | None:
    run = Run.objects.select_for_update().filter(pk=run_id).first()
    if run is None or run.state not in (Run.State.QUEUED, Run.State.RUNNING) or _alive(run):
        return None
    if run.attempts >= claims.MAX_ATTEMPTS:
        outcomes.end(run, Run.State.ERRORED, _POISON, {})
        return None
    now, before = database.now(), run.worker
    moved = states.move(
        run,
        run.state,
        Run.State.RUNNING,
        reason=f"claimed by {worker}",
        expect={"fence": run.fence},
        fence=run.fence + 1,
        attempts=run.attempts + 1,
        worker=worker[:120],
        heartbeat_at=now,
        started_at=run.started_at or now,
    )
    if not moved:
        return None
    if before:
        text = f"{before} fell silent; {worker} goes on (attempt {run.attempts} of {claims.MAX_ATTEMPTS})."
        append(run, [Event("note", data={"level": "warning", "text": text})])
    transaction.on_commit(partial(publish.fleet_hint, run.team_id))
    return run


def _alive(run: Run) -> bool:
    if run.state != Run.State.RUNNING or run.heartbeat_at is None:
        return False
    return run.heartbeat_at > database.now() - claims.DEAD_AFTER


def heartbeat(*, run_id: int, fence: int) -> Orders | None:
    """The worker lives, keeps its leases and learns what people ask of the run. None: the run is somebody else's or
    over; stop touching the routers."""
    now = database.now()
    with transaction.atomic():
        held = Run.objects.filter(pk=run_id, fence=fence, state=Run.State.RUNNING).update(heartbeat_at=now) == 1
        if not held:
            return None
        leases.renew(run_id, now)
        return take_orders(run_id)


def finish(*, run_id: int, fence: int, state: str, outcome: str, result: dict[str, Any]) -> None:
    """Ends the run with one sentence for people; change and cluster follow. LostClaim for an old claim."""
    with transaction.atomic():
        outcomes.end(claims.holding(run_id, fence), state, outcome, result)
