"""A real worker on a host whose clock is off; see desk.py."""

from __future__ import annotations

import sys

from tests.clocks import desk

if __name__ == "__main__":
    from lbftp.celery import app

    app.worker_main(["worker", "--concurrency=1", "--loglevel=WARNING", f"--hostname=off{desk.OFF.total_seconds()}@%h"])
    sys.exit(0)
