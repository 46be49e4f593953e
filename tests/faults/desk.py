"""A process of a site that does what people do there; see Desk in site.py."""

from __future__ import annotations

import os
import time
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lbftp.settings")
django.setup()

from lab import api  # noqa: E402
from lbftp import dispatch  # noqa: E402
from lbftp.changes.models import ChangeRequest, Run, RunEvent  # noqa: E402
from lbftp.changes.services import decisions, requests  # noqa: E402
from lbftp.clusters.models import Cluster  # noqa: E402
from lbftp.inventory import services as inventory  # noqa: E402
from ops.demo import scene  # noqa: E402
from tests.insider import serve  # noqa: E402

GUARD = 60
_ENDED = (Run.State.SUCCEEDED, Run.State.FAILED, Run.State.ERRORED, Run.State.CANCELLED)


class Desk:
    """What the process remembers between lines."""

    def __init__(self) -> None:
        self.people = scene.people()

    def enrol(self) -> dict[str, Any]:
        """The lab's machines and the guide's cluster."""
        lab = api.status()
        key, account = scene.credentials(self.people, lab)
        for name in (*scene.ROUTERS, "client"):
            ended(scene.enrol(self.people, lab.host(name), key))
            look = scene.confirm(self.people, lab.host(name))
            if look is not None:
                ended(look)
                router = self.people.routers[name]
                router.refresh_from_db()
                inventory.set_interfaces(
                    user=self.people.alice, router=router, public_interface="pub0", internal_interface="int0"
                )
        scene.define(self.people, account)
        Cluster.objects.update(guard_seconds=GUARD)
        return {}

    def propose(self) -> dict[str, Any]:
        """A change that is planned and approved. `plan_run` is kept for its outcome."""
        cluster = Cluster.objects.get()
        change = requests.propose(user=self.people.alice, cluster=cluster, title="Faults", reason="To see")
        run = ended(change.runs.get())
        change.refresh_from_db()
        if change.state == ChangeRequest.State.PROPOSED:
            decisions.approve(user=self.people.bob, change=change, plan_digest=change.plan_digest)
            change.refresh_from_db()
        return {"change": change.pk, "state": change.state, "outcome": run.outcome}

    def apply(self, change: int) -> dict[str, Any]:
        """The run that applies it, on its way."""
        row = ChangeRequest.objects.get(pk=change)
        return {"run": decisions.apply_change(user=self.people.alice, change=row).pk}

    def deliver(self, run: int) -> dict[str, Any]:
        """The same task once more."""
        return {"sent": dispatch.send_run(run)}

    def is_done(self, run: int, router: str, step: str) -> bool:
        """Whether the run's page says so of the step."""
        steps = RunEvent.objects.filter(run=run, kind="step", router=router)
        return steps.filter(data__id=step, data__state="done").exists()

    def state(self, run: int) -> dict[str, Any]:
        row = Run.objects.get(pk=run)
        return {"state": row.state, "outcome": row.outcome, "attempts": row.attempts, "fence": row.fence}

    def notes(self, run: int) -> str:
        return "\n".join(row.data["text"] for row in RunEvent.objects.filter(run=run, kind="note"))

    def again(self) -> dict[str, Any]:
        """The next apply, from its proposal to its end."""
        change = self.propose()
        assert change["state"] == ChangeRequest.State.APPROVED, change
        run = ended(Run.objects.get(pk=self.apply(change["change"])["run"]))
        return {"state": run.state, "outcome": run.outcome}


def ended(run: Run, patience: float = 600) -> Run:
    end = time.monotonic() + patience
    while run.state not in _ENDED:
        assert time.monotonic() < end, f"run {run.pk} ({run.kind}) is still {run.state}"
        time.sleep(0.2)
        run.refresh_from_db()
    assert run.state == Run.State.SUCCEEDED, f"{run.kind}: {run.outcome}"
    return run


if __name__ == "__main__":
    serve(Desk())
