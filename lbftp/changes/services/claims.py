"""Proof that a worker still is the one whose claim on a run counts."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db import transaction

from lbftp import database
from lbftp.changes.errors import LostClaim
from lbftp.changes.models import Run

# A worker beats every 10 s; after three missed beats and some slack its run is anybody's.
DEAD_AFTER: Final = timedelta(seconds=45)
# Pages say so before that: two beats were missed, and the tick that tells it comes within ten seconds more.
QUIET_AFTER: Final = timedelta(seconds=30)
MAX_ATTEMPTS: Final = 3


def holding(run_id: int, fence: int) -> Run:
    """The run, locked for the rest of this transaction, if claim number `fence` is the present one. Else LostClaim."""
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("holding() protects nothing outside a transaction")
    rows = Run.objects.filter(pk=run_id, fence=fence, state=Run.State.RUNNING)
    if rows.update(heartbeat_at=database.now()) != 1:
        raise LostClaim(f"run {run_id}: claim {fence} is over")
    return Run.objects.select_related("team", "cluster", "change", "revision").get(pk=run_id)
