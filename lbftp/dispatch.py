"""The only place that enqueues. Tasks are named, never imported: the web side does not know the workers.

Each message goes over a connection of its own, which ends with it: nobody waits for a place in a pool, and one broker
that accepts and never answers holds up one click for some seconds, no thread for good.
"""

from __future__ import annotations

from typing import Final

from kombu.exceptions import OperationalError

from lbftp.celery import app

# Seconds for each step with the broker: to connect, and to be answered.
PATIENCE: Final = 2.0
_LIMITS: Final = {
    "socket_connect_timeout": PATIENCE,
    "socket_timeout": PATIENCE,
    "read_timeout": PATIENCE,
    "write_timeout": PATIENCE,
    "retry_on_timeout": False,
}


def send_run(run_id: int, *, soft: int | None = None, hard: int | None = None) -> bool:
    """Ask a worker to take run `run_id`. False if the broker is away: the run row stays, the tick sends it again.

    `soft`, `hard`: seconds after which the task is broken off, and killed (core.durations); None: as any task.
    """
    try:
        with app.connection_for_write(connect_timeout=PATIENCE, transport_options=_LIMITS) as connection:
            app.send_task(
                "workers.tasks.execute",
                args=[run_id],
                connection=connection,
                retry=False,
                soft_time_limit=soft,
                time_limit=hard,
            )
    except (OperationalError, OSError):
        return False
    return True
