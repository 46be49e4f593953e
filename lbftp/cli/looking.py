"""What only looks: plan, verify, comply (which may put right what it finds), status."""

from __future__ import annotations

from lbftp.changes import services
from lbftp.changes.models import Run
from lbftp.cli import show
from lbftp.cli.ask import Ask
from lbftp.cli.exits import DONE, FAILED
from lbftp.cli.follow import follow
from lbftp.core.findings import drift


def plan(ask: Ask) -> int:
    user, cluster = ask.person(), ask.cluster_to_act_on()
    run = follow(ask, services.plan_only(user=user, cluster=cluster))
    made, problems = run.result.get("plan"), run.result.get("problems", [])
    lines = [*(show.plan_lines(made) if made else []), *show.problem_lines(problems)]
    ask.answer(show.run_data(run), "\n".join(lines) or f"run {run.pk} started")
    return DONE if ask.options["no_wait"] or (made and run.state == Run.State.SUCCEEDED) else FAILED


def verify(ask: Ask) -> int:
    user, cluster = ask.person(), ask.cluster_to_act_on()
    return _checked(ask, services.verify(user=user, cluster=cluster))


def comply(ask: Ask) -> int:
    user, cluster = ask.person(), ask.cluster_to_act_on()
    return _checked(ask, services.comply(user=user, cluster=cluster, reapply=ask.options["reapply"]))


def status(ask: Ask) -> int:
    rows = [ask.cluster()] if ask.options["cluster"] else list(ask.clusters().order_by("team__name", "name"))
    data = [show.cluster_data(row) for row in rows]
    ask.answer({"clusters": data}, "\n".join(map(show.cluster_text, data)) or "no clusters yet")
    return DONE


def _checked(ask: Ask, run: Run) -> int:
    """Done only if the run succeeded and left nothing that differs (notes of severity info do not count)."""
    run = follow(ask, run)
    data = show.run_data(run)
    ask.answer(data, f"run {run.pk}: {run.shown_words}")
    if ask.options["no_wait"]:
        return DONE
    left = drift(data["findings"])
    return DONE if run.state == Run.State.SUCCEEDED and not left else FAILED
