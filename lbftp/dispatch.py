"""The only place that enqueues. Tasks are named, never imported: the web side does not know the workers."""

from __future__ import annotations

from kombu.exceptions import OperationalError

from lbftp.celery import app


def send_run(run_id: int) -> bool:
    """Ask a worker to take run `run_id`. False if the broker is away: the run row stays, the tick sends it again."""
    try:
        app.send_task("workers.tasks.execute", args=[run_id], retry=False)
    except OperationalError:
        return False
    return True


def workers() -> list[str]:
    """Names of the workers that answer within a second; the first answer is enough. Empty if the broker is away."""
    try:
        answers = app.control.broadcast("ping", reply=True, timeout=1.0, limit=1)
    except (OperationalError, OSError):
        return []
    return sorted(name for answer in answers or [] for name in answer)
