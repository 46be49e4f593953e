"""A process of a site whose clock is off by so many seconds (`LBFTP_TEST_CLOCK`), as on a host of its own."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine

# Before Django is loaded: every clock of the process but the monotonic ones is off, and goes on.
OFF = timedelta(seconds=float(os.environ.get("LBFTP_TEST_CLOCK", "0")))
if OFF:
    time_machine.travel(datetime.now(UTC) + OFF, tick=True).start()

import django  # noqa: E402

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lbftp.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402

from lbftp import database  # noqa: E402
from lbftp.celery import app  # noqa: E402
from lbftp.changes.models import Lease, Run  # noqa: E402
from lbftp.changes.run_page import page  # noqa: E402
from lbftp.changes.services import runs  # noqa: E402
from lbftp.clusters.models import Cluster  # noqa: E402
from lbftp.compliance import services as compliance  # noqa: E402
from lbftp.compliance.models import Policy  # noqa: E402
from lbftp.core.job import Event  # noqa: E402
from lbftp.daytwo.models import Drain  # noqa: E402
from lbftp.daytwo.services import drains  # noqa: E402
from lbftp.health.models import Pulse  # noqa: E402
from lbftp.numbers import services as numbers  # noqa: E402
from lbftp.numbers.models import Watch  # noqa: E402
from tests import worlds  # noqa: E402
from tests.insider import serve  # noqa: E402
from workers import tasks  # noqa: E402
from workers.report import Report  # noqa: E402

ROUTERS = ["r1", "r2"]


class Desk:
    """What people and workers do on this host. Seconds are the host's own: `off` ones from the database's."""

    def migrate(self) -> None:
        call_command("migrate", verbosity=0)

    def build(self) -> None:
        """The world's cluster is applied, nobody looks at it by itself, ftp1 is being drained."""
        world = worlds.build()
        worlds.applied(world)
        compliance.set_policy(
            user=world.bob, cluster=world.cluster, cron="*/15 * * * *", time_zone="UTC", action="report", enabled=True
        )
        Policy.objects.update(enabled=False)
        Drain.objects.create(
            cluster=world.cluster, server="ftp1", weight=1, started_by=world.bob, started_at=timezone.now()
        )

    def start(self) -> int:
        """A run on the cluster's routers that waits for a worker."""
        cluster = Cluster.objects.select_related("team", "applied").get()
        run = runs.start(kind=Run.Kind.VERIFY, team=cluster.team, cluster=cluster, revision=cluster.applied)
        return run.pk

    def claim(self, run: int) -> int:
        """The claim's number, 0 if there was nothing to claim for this host."""
        job = runs.claim(run_id=run, worker=f"worker of {OFF}")
        return job.fence if job else 0

    def beat(self, run: int, fence: int) -> bool:
        return runs.heartbeat(run_id=run, fence=fence) is not None

    def take(self, run: int, fence: int) -> bool:
        return runs.take_leases(run_id=run, fence=fence, router_names=ROUTERS)

    def arm(self, run: int, fence: int) -> None:
        """The run's worker tells that a guard waits for two minutes."""
        told: list[Event] = []
        Report(told.append, lambda: None).guard("r1", "armed", 120)
        runs.record(run_id=run, fence=fence, events=told)

    def tick(self) -> None:
        tasks.tick()

    def send_tick(self) -> None:
        """What the beat of this host does every few seconds."""
        entry = settings.CELERY_BEAT_SCHEDULE["tick"]
        app.send_task(entry["task"], **entry["options"])

    def forget_ticks(self) -> None:
        Pulse.objects.all().delete()

    def ticked(self) -> float | None:
        """How many seconds ago a worker took a tick, None if none did."""
        row = Pulse.objects.filter(name="tick").first()
        return (timezone.now() - row.at).total_seconds() if row else None

    def ages(self, **values: float) -> None:
        """What was so many seconds ago, told by the host whose clock is the database's: a run's last heartbeat, its
        last sending, its leases' end, the next check, the next look at a router, the last one at a drain."""
        at = {name: timezone.now() - timedelta(seconds=seconds) for name, seconds in values.items()}
        if "heartbeat" in at:
            Run.objects.filter(state="running").update(heartbeat_at=at["heartbeat"])
        if "sent" in at:
            Run.objects.update(sent_at=at["sent"], created_at=at["sent"])
        if "lease" in at:
            Lease.objects.update(expires_at=at["lease"])
        if "check" in at:
            Policy.objects.update(enabled=True, next_due=at["check"])
        if "look" in at:
            Watch.objects.update(due_at=at["look"])
        if "drain" in at:
            Drain.objects.update(asked_at=at["drain"])

    def seen(self, run: int) -> dict[str, Any]:
        """The run as its page shows it here, and how old its signs of life are by this host's clock."""
        row, now = Run.objects.get(pk=run), timezone.now()
        shown = page(row)
        guards = [lane.guard.until for lane in shown.view.lanes if lane.guard and lane.guard.until]
        return {
            "state": row.state,
            "fence": row.fence,
            "silent": shown.silent,
            "notes": [note["text"] for note in shown.view.notes],
            "sent": row.sent_at and (now - row.sent_at).total_seconds(),
            "created": (now - row.created_at).total_seconds(),
            "guards": [(until - now).total_seconds() for until in guards],
        }

    def checks(self) -> int:
        """How many checks the schedule has started."""
        return Run.objects.filter(kind=Run.Kind.COMPLY).count()

    def drains(self) -> int:
        """How many clusters' drains are this host's to look at now."""
        return len(drains.claim(now=database.now()))

    def looks(self) -> int:
        """How many routers are this host's to look at now."""
        return sum(len(looks) for looks in numbers.batches())


if __name__ == "__main__":
    serve(Desk())
