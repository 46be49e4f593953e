"""Doors: Celery calls in, one service or worker verb goes on. No rules live here."""

from __future__ import annotations

import logging
from typing import Any

from celery.signals import after_setup_logger, after_setup_task_logger
from django.conf import settings

from lbftp import database, logs
from lbftp.alone import each_alone
from lbftp.celery import app
from lbftp.changes.services import sweep as sweeping
from lbftp.compliance import services as compliance
from lbftp.daytwo.services import drains
from lbftp.numbers import services as numbers
from workers import draining, sampling
from workers.execution import run_claimed
from workers.remote import Limits


@after_setup_logger.connect
@after_setup_task_logger.connect
def _tell_no_secrets(logger: logging.Logger, **_: Any) -> None:
    """Celery writes with handlers of its own: what ends a task has an exception's text in it."""
    for handler in logger.handlers:
        handler.addFilter(logs.Told())


@app.task(bind=True, name="workers.tasks.execute")
def execute(self: Any, run_id: int) -> None:
    """Does run `run_id` if nobody else does. A vanished or ended run ends quietly."""
    hard, _soft = self.request.timelimit or (None, None)
    run_claimed(run_id, hard=hard or settings.CELERY_TASK_TIME_LIMIT)


@app.task(name="workers.tasks.tick")
def tick() -> None:
    """Starts what is due, and sends again what was lost."""
    now = database.now()
    sweeping.sweep(now=now)
    compliance.claim_due(now=now)


@app.task(name="workers.tasks.sample")
def sample() -> None:
    """Asks the routers that are due for their live numbers."""
    usual = Limits(settings.SSH_CONNECT_TIMEOUT, settings.SSH_PROGRAM_TIMEOUT)
    limits = sampling.limits_for(settings.SAMPLE_SECONDS, usual)
    for looks in numbers.batches():
        said = sampling.sample(looks, limits)
        each_alone(said, lambda one: numbers.take(look=one[0], found=one[1], at=database.now()), what="look_not_kept")


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
        answered = [(question, found)]
        each_alone(
            answered, lambda one: drains.take(question=one[0], found=one[1], at=database.now()), what="drain_lost"
        )
