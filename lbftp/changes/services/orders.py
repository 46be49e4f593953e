"""What people tell a run that goes on: to stop, to let its guards wait longer, or that its change stays. Its worker
learns by its beat."""

from __future__ import annotations

from typing import Final

from django.contrib.auth.models import User
from django.db import transaction

from lbftp import database
from lbftp.accounts import access
from lbftp.accounts.models import Role
from lbftp.changes.errors import Refused
from lbftp.changes.models import Run, RunEvent
from lbftp.changes.services import outcomes
from lbftp.changes.services.events import append
from lbftp.core.job import AWAIT, CHANGING, Event, Orders

GOING_ON: Final = (Run.State.QUEUED, Run.State.RUNNING)


def may_order(user: access.Person, run: Run) -> bool:
    """Operators of the team, and whoever started the run and still belongs to the team."""
    if access.has_role(user, run.team, Role.OPERATOR):
        return True
    return run.started_by_id == user.pk and access.role_of(user, run.team) is not None


def cancel(*, user: User, run: Run) -> Run:
    """A waiting run ends at once. One that goes on stops before its next step and puts back what it changed.

    Raises Refused without permission, for a run that is over, and where somebody was first.
    """
    _require(user, run)
    with transaction.atomic():
        asked = Run.objects.filter(pk=run.pk, state__in=GOING_ON, cancelled_at=None, confirmed_at=None)
        if asked.update(cancelled_by=user, cancelled_at=database.now()) != 1:
            raise Refused(_too_late(run))
        row = _row(run)
        if row.state == Run.State.QUEUED:
            outcomes.end(row, Run.State.CANCELLED, f"{_reason(row)} No worker had taken it.", {})
        else:
            text = f"{user} cancelled it: it stops before its next step, and what it changed is put back."
            append(row, [Event("note", data={"level": "warning", "text": text})])
    return row


def extend(*, user: User, run: Run) -> Run:
    """The routers' guards start anew with all their seconds, before the run's next step. Twice is the same as once."""
    _require(user, run)
    with transaction.atomic():
        changing = Run.objects.filter(pk=run.pk, state=Run.State.RUNNING, kind__in=CHANGING, dry=False)
        if changing.filter(cancelled_at=None).update(extend_asked=True) != 1:
            raise Refused("Only guards of a run that is changing routers can be extended; this one is not any more.")
        row = _row(run)
        append(row, [Event("note", data={"level": "info", "text": f"{user} lets the guards start anew."})])
    return row


def confirm(*, user: User, run: Run) -> Run:
    """The change that was proven and kept stays. The first person's word counts.

    Raises Refused without permission, for a run that does not wait for a person, and where somebody was first.
    """
    _require(user, run)
    with transaction.atomic():
        if not awaits(run):
            raise Refused(f"Run {run.pk} does not wait for a person's confirmation now.")
        asked = Run.objects.filter(pk=run.pk, state=Run.State.RUNNING, cancelled_at=None, confirmed_at=None)
        if asked.update(confirmed_by=user, confirmed_at=database.now()) != 1:
            raise Refused(_too_late(run))
        row = _row(run)
        append(row, [Event("note", data={"level": "info", "text": f"{user} confirmed it: the change stays."})])
    return row


def awaits(run: Run) -> bool:
    """Whether the run stands still until a person confirms it."""
    last = RunEvent.objects.filter(run=run.pk, run__state=Run.State.RUNNING, kind="phase").order_by("-seq").first()
    return last is not None and last.data["name"] == AWAIT


def take_orders(run_id: int) -> Orders:
    """What the run's worker has to know. That guards are to be extended is told once."""
    row = Run.objects.select_related("cancelled_by", "confirmed_by").get(pk=run_id)
    extended = row.extend_asked and Run.objects.filter(pk=run_id, extend_asked=True).update(extend_asked=False) == 1
    confirmed = str(row.confirmed_by or "somebody who is gone") if row.confirmed_at else ""
    return Orders(_reason(row) if row.cancelled_at else "", extended, confirmed)


def _reason(run: Run) -> str:
    return f"Cancelled by {run.cancelled_by or 'somebody who is gone'}."


def _row(run: Run) -> Run:
    """The row as it is now; this transaction holds it."""
    return Run.objects.select_related("team", "cluster", "change", "revision", "cancelled_by", "confirmed_by").get(
        pk=run.pk
    )


def _require(user: User, run: Run) -> None:
    if not may_order(user, run):
        raise Refused(f"This needs the role operator in the team {run.team}, or to have started the run.")


def _too_late(run: Run) -> str:
    row = _row(run)
    if row.state in GOING_ON and row.confirmed_at and not row.cancelled_at:
        return f"{row.confirmed_by} has confirmed it already: the change stays."
    if row.state in GOING_ON:
        return f"{row.cancelled_by} has cancelled it already: it stops before its next step."
    return f"This run is over; it is: {row.get_state_display()}."
