"""Proposing, approving, rejecting, applying."""

from __future__ import annotations

from lbftp.changes import services
from lbftp.changes.models import ChangeRequest, Run
from lbftp.cli import show
from lbftp.cli.ask import Ask
from lbftp.cli.exits import DONE, FAILED, REFUSED
from lbftp.cli.follow import follow

_BAD = (Run.State.FAILED, Run.State.ERRORED, Run.State.CANCELLED)
_STANDING = (ChangeRequest.State.PROPOSED, ChangeRequest.State.APPROVED)


def propose(ask: Ask) -> int:
    user, cluster = ask.person(), ask.cluster_to_act_on()
    title = ask.options["title"] or f"Change {cluster.name}"
    change = services.propose(user=user, cluster=cluster, title=title, reason=ask.options["reason"])
    ask.say(f"change #{change.pk} proposed")
    return _planned(ask, change, change.runs.get())


def replan(ask: Ask) -> int:
    user, change = ask.person(), ask.change()
    return _planned(ask, change, services.replan(user=user, change=change))


def approve(ask: Ask) -> int:
    user, change = ask.person(), ask.change()
    digest = ask.options["digest"] or change.plan_digest
    services.approve(user=user, change=change, plan_digest=digest, reason=ask.options["reason"])
    return _told(ask, change, DONE)


def reject(ask: Ask) -> int:
    user, change = ask.person(), ask.change()
    services.reject(user=user, change=change, reason=ask.options["reason"])
    return _told(ask, change, DONE)


def apply(ask: Ask) -> int:
    """Exit 3 if the plan went stale: nothing was touched, and the change wants another approval."""
    user, change = ask.person(), ask.change()
    begin = services.dry_run if ask.options["dry_run"] else services.apply_change
    run = follow(ask, begin(user=user, change=change))
    change.refresh_from_db()
    ask.answer({**show.change_data(change), "run": show.run_data(run)})
    if change.state == ChangeRequest.State.STALE or run.result.get("stale"):
        ask.complain("refused: something changed since it was planned; read the new plan, then `replan`.")
        return REFUSED
    return FAILED if run.state in _BAD else DONE


def cancel(ask: Ask) -> int:
    """Waits for the end: done if the run came to it cancelled, with what it changed put back."""
    user, run = ask.person(), ask.run()
    run = follow(ask, services.cancel(user=user, run=run))
    ask.answer(show.run_data(run), f"run {run.pk}: {run.shown_words}")
    return DONE if ask.options["no_wait"] or run.state == Run.State.CANCELLED else FAILED


def extend(ask: Ask) -> int:
    user, run = ask.person(), ask.run()
    run = services.extend(user=user, run=run)
    ask.answer(show.run_data(run), f"run {run.pk}: its guards start anew before the next step")
    return DONE


def rollback(ask: Ask) -> int:
    user, run = ask.person(), ask.run()
    change = services.roll_back(user=user, run=run, title=ask.options["title"], reason=ask.options["reason"])
    ask.say(f"change #{change.pk} proposed")
    return _planned(ask, change, change.runs.get())


def ftp_servers(ask: Ask) -> int:
    user, cluster, options = ask.person(), ask.cluster_to_act_on(), ask.options
    words = {name: options[name] for name in ("servers", "title", "reason")}
    change = services.set_keys(user=user, cluster=cluster, **words)
    ask.say(f"change #{change.pk} proposed")
    return _planned(ask, change, change.runs.get())


def confirm(ask: Ask) -> int:
    """Waits for the end: the change stays on both routers, or something came in between."""
    user, run = ask.person(), ask.run()
    run = follow(ask, services.confirm(user=user, run=run))
    ask.answer(show.run_data(run), f"run {run.pk}: {run.shown_words}")
    return FAILED if run.state in _BAD else DONE


def _planned(ask: Ask, change: ChangeRequest, run: Run) -> int:
    follow(ask, run)
    change.refresh_from_db()
    return _told(ask, change, DONE if ask.options["no_wait"] or change.state in _STANDING else FAILED)


def _told(ask: Ask, change: ChangeRequest, status: int) -> int:
    change.refresh_from_db()
    ask.answer(show.change_data(change), show.change_text(change))
    return status
