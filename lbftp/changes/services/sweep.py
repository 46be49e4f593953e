"""What each tick puts right: runs that were committed and never taken up, and runs whose worker fell silent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q

from lbftp.alone import each_alone
from lbftp.changes.models import Run
from lbftp.changes.services import claims, runs
from lbftp.changes.services.events import append
from lbftp.core.job import Event
from lbftp.health.services import record_tick

RESEND_AFTER: Final = timedelta(seconds=15)
# A run that waits long is not lost, the workers are busy: it is sent ever more rarely, a quarter of its age apart.
_RARER: Final = 4


def sweep(*, now: datetime) -> list[int]:
    """Sends such runs again; returns their ids. Claiming decides who works, so sending once too often does no harm.

    Called once a tick, which is noted for /readyz.
    """
    record_tick(now=now)
    silent = Run.objects.filter(state=Run.State.RUNNING, heartbeat_at__lt=now - claims.QUIET_AFTER).order_by("pk")
    each_alone(silent, _tell_silence, what="silence_not_told")
    lost = _waiting(now) + _orphaned(now)
    sent = each_alone(lost, lambda run: run.pk if _send_again(run, now) else 0, what="run_not_sent_again")
    return [pk for pk in sent if pk]


def _waiting(now: datetime) -> list[Run]:
    old = now - RESEND_AFTER
    unsent = Q(sent_at=None, created_at__lt=old) | Q(sent_at__lt=old)
    rows = Run.objects.filter(unsent, state=Run.State.QUEUED).order_by("pk")
    return [r for r in rows if r.sent_at is None or now - r.sent_at >= (r.sent_at - r.created_at) / _RARER]


def _orphaned(now: datetime) -> list[Run]:
    silent = Q(heartbeat_at__lt=now - claims.DEAD_AFTER)
    due = Q(sent_at=None) | Q(sent_at__lt=now - RESEND_AFTER)
    return list(Run.objects.filter(silent, due, state=Run.State.RUNNING).order_by("pk"))


def _tell_silence(run: Run) -> None:
    """Once a claim: whoever watches learns that nothing is going on before another worker may take the run over."""
    with transaction.atomic():
        same = Run.objects.select_for_update().filter(pk=run.pk, fence=run.fence, heartbeat_at=run.heartbeat_at)
        if not same.filter(state=Run.State.RUNNING).exists() or run.events.filter(data__silent=run.fence).exists():
            return
        quiet, dead = claims.QUIET_AFTER.seconds, claims.DEAD_AFTER.seconds
        text = (
            f"{run.worker} has not been heard of for {quiet} s. After {dead} s another worker takes the run over and "
            "looks at the routers first."
        )
        append(run, [Event("note", data={"level": "warning", "text": text, "silent": run.fence})])


def _send_again(run: Run, now: datetime) -> bool:
    """Compare-and-set on `sent_at`, so that two ticks at once send one message."""
    if Run.objects.filter(pk=run.pk, sent_at=run.sent_at, state=run.state).update(sent_at=now) != 1:
        return False
    return runs.send(run.pk)
