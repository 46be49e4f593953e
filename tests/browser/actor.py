"""A process that plays the worker through the services; see the site in conftest.py."""

from __future__ import annotations

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lbftp.settings")
django.setup()

from lbftp.accounts import services as accounts  # noqa: E402
from lbftp.accounts.models import Membership  # noqa: E402
from lbftp.changes import services  # noqa: E402
from lbftp.changes.services import events, runs  # noqa: E402
from lbftp.core.job import Event, Job  # noqa: E402
from tests import worlds  # noqa: E402
from tests.insider import serve  # noqa: E402


class Stage:
    """What the process remembers between lines."""

    def __init__(self) -> None:
        self.world = worlds.build()
        self.job: Job | None = None

    def begin(self) -> dict[str, Any]:
        """A run of a change that everybody agreed on, waiting for its worker."""
        change = worlds.approved(self.world)
        run = services.apply_change(user=self.world.bob, change=change)
        return {"run": run.pk, "change": change.pk}

    def propose(self) -> dict[str, Any]:
        """A change that is being planned."""
        change = services.propose(user=self.world.alice, cluster=self.world.cluster, title="Another", reason="")
        return {"change": change.pk}

    def plan(self) -> dict[str, Any]:
        """The newest change gets its plan."""
        change = self.world.cluster.changes.first()
        assert change is not None
        worlds.planned(change.runs.get())
        return {}

    def cluster(self) -> dict[str, Any]:
        return {"cluster": self.world.cluster.pk}

    def lock(self, name: str) -> dict[str, Any]:
        accounts.lock(user=self.world.alice, membership=Membership.objects.get(user__username=name))
        return {}

    def unlock(self, name: str) -> dict[str, Any]:
        accounts.unlock(user=self.world.alice, membership=Membership.objects.get(user__username=name))
        return {}

    def claim(self, run: int) -> dict[str, Any]:
        self.job = runs.claim(run_id=run, worker="actor")
        return {"claimed": self.job is not None}

    def record(self, found: list[dict[str, Any]]) -> dict[str, Any]:
        assert self.job is not None
        told = [Event(one["kind"], one.get("router", ""), one["data"]) for one in found]
        return {"seq": events.record(run_id=self.job.run_id, fence=self.job.fence, events=told)}

    def end(self, state: str, outcome: str) -> dict[str, Any]:
        assert self.job is not None
        result = {"master": "r1"}
        runs.finish(run_id=self.job.run_id, fence=self.job.fence, state=state, outcome=outcome, result=result)
        return {}


if __name__ == "__main__":
    serve(Stage())
