"""Doors: Celery calls in, one service or worker verb goes on. No rules live here."""

from __future__ import annotations

from django.utils import timezone

from lbftp.celery import app
from lbftp.changes.services import sweep as sweeping
from lbftp.compliance import services as compliance
from workers.execution import run_claimed


@app.task(name="workers.tasks.execute")
def execute(run_id: int) -> None:
    """Does run `run_id` if nobody else does. A vanished or ended run ends quietly."""
    run_claimed(run_id)


@app.task(name="workers.tasks.tick")
def tick() -> None:
    """Starts what is due, and sends again what was lost."""
    now = timezone.now()
    compliance.claim_due(now=now)
    sweeping.sweep(now=now)
