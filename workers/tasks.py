"""Doors: Celery calls in, one service or worker verb goes on. No rules live here."""

from __future__ import annotations

from django.conf import settings

from lbftp import database
from lbftp.celery import app
from lbftp.changes.services import sweep as sweeping
from lbftp.compliance import services as compliance
from lbftp.daytwo.services import drains
from lbftp.numbers import services as numbers
from workers import draining, sampling
from workers.execution import run_claimed
from workers.remote import Limits


@app.task(name="workers.tasks.execute")
def execute(run_id: int) -> None:
    """Does run `run_id` if nobody else does. A vanished or ended run ends quietly."""
    run_claimed(run_id)


@app.task(name="workers.tasks.tick")
def tick() -> None:
    """Starts what is due, and sends again what was lost."""
    now = database.now()
    compliance.claim_due(now=now)
    sweeping.sweep(now=now)


@app.task(name="workers.tasks.sample")
def sample() -> None:
    """Asks the routers that are due for their live numbers."""
    usual = Limits(settings.SSH_CONNECT_TIMEOUT, settings.SSH_PROGRAM_TIMEOUT)
    limits = sampling.limits_for(settings.SAMPLE_SECONDS, usual)
    for looks in numbers.batches():
        for look, found in sampling.sample(looks, limits):
            numbers.take(look=look, found=found, at=database.now())


@app.task(name="workers.tasks.forget")
def forget() -> None:
    """Takes away live numbers that are too old."""
    numbers.forget(now=database.now())


@app.task(name="workers.tasks.drain")
def drain() -> None:
    """Asks the routers what drained real servers still have."""
    usual = Limits(settings.SSH_CONNECT_TIMEOUT, settings.SSH_PROGRAM_TIMEOUT)
    for question in drains.claim(now=database.now()):
        found = draining.look(question.spec, question.routers, usual)
        drains.take(question=question, found=found, at=database.now())
