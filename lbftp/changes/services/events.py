"""What happens in a run, in order and without a gap: rows first, one hint after commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from django.db import transaction

from lbftp import database
from lbftp.changes.models import Run, RunEvent
from lbftp.changes.services import claims
from lbftp.core.job import Event
from lbftp.live import publish
from lbftp.outside import told

# Characters of one text in an event; results and plans keep more.
_LONGEST: Final = 16_000


def record(*, run_id: int, fence: int, events: Sequence[Event]) -> int:
    """Stores `events` under the next sequence numbers; returns the last one. LostClaim if `fence` is an old claim's."""
    with transaction.atomic():
        return append(claims.holding(run_id, fence), events)


def append(run: Run, events: Sequence[Event]) -> int:
    """`record` for a caller that holds the run's row locked."""
    last = run.events.order_by("-seq").values_list("seq", flat=True).first() or 0
    now = database.now()
    RunEvent.objects.bulk_create(
        RunEvent(
            run=run, seq=last + n, at=now, kind=e.kind, router=told(e.router)[:32], data=told(_timed(e, now), _LONGEST)
        )
        for n, e in enumerate(events, start=1)
    )
    last += len(events)
    if events:
        transaction.on_commit(partial(publish.run_hint, run.pk, last))
    return last


def _timed(event: Event, now: datetime) -> dict[str, Any]:
    """A guard's seconds as a time that pages count down to: the worker's own clock may be off."""
    if event.kind != "guard":
        return event.data
    seconds = event.data["seconds"]
    return {**event.data, "until": (now + timedelta(seconds=seconds)).isoformat() if seconds else None}
