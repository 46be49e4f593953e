"""The only place that enqueues. Tasks are named, never imported: the web side does not know the workers."""

from __future__ import annotations

from kombu.exceptions import OperationalError

from lbftp.celery import app


def send_run(run_id: int) -> bool:
    """Ask a worker to take run `run_id`. False if the broker is not there: the run row stays, the tick sends it again."""
    try:
        app.send_task("workers.tasks.execute", args=[run_id], retry=False)
    except OperationalError:
        return False
    return True
