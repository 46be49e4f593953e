"""Proofs that disturb, router maintenance, and the window in which they need no other's approval."""

from __future__ import annotations

import argparse
from typing import Any, Final

from lbftp.changes import services
from lbftp.changes.models import ChangeRequest, Run
from lbftp.cli import show
from lbftp.cli.ask import Ask, WrongUse
from lbftp.cli.exits import DONE, FAILED
from lbftp.cli.follow import follow
from lbftp.clusters.models import Cluster
from lbftp.core.proofs import FOREIGN, REFUSE
from lbftp.proofs import page
from lbftp.proofs.models import Window
from lbftp.proofs.services import proposing, windows
from lbftp.proofs.told import KINDS

_WINDOW: Final = ("cron", "minutes", "time_zone", "enabled")
_STANDING: Final = (ChangeRequest.State.PROPOSED, ChangeRequest.State.APPROVED)


def add_options(prove: argparse.ArgumentParser, maintenance: argparse.ArgumentParser) -> None:
    for parser in (prove, maintenance):
        parser.add_argument("cluster")
    prove.add_argument("proof", choices=KINDS)
    prove.add_argument("--foreign", choices=FOREIGN, default=REFUSE, help="restart: rules that others only run")
    prove.add_argument("--routers", nargs="+", default=[], metavar="ROUTER", help="reboot: these only")
    prove.add_argument("--patience", type=int, default=proposing.PATIENCE_SECONDS, help="reboot: back within seconds")
    maintenance.add_argument("router")
    maintenance.add_argument("direction", choices=["out", "back"])
    for parser in (prove, maintenance):
        parser.add_argument("--title", default="", help="what it is for")
        parser.add_argument("--reason", default="", help="why")
        parser.add_argument("--start", action="store_true", help="start it once planned, if nobody else has to approve")


def add_window_options(window: argparse.ArgumentParser) -> None:
    window.add_argument("cluster")
    window.add_argument("--cron", help="when it opens, such as '0 2 * * 0'")
    window.add_argument("--minutes", type=int, help="how long it is open")
    window.add_argument("--time-zone", help="such as Europe/Berlin")
    window.add_argument("--enabled", action=argparse.BooleanOptionalAction)


def prove(ask: Ask) -> int:
    user, cluster, options = ask.person(), ask.cluster_to_act_on(), ask.options
    words = {name: options[name] for name in ("title", "reason")}
    if options["proof"] == "restart":
        change = proposing.restart(user=user, cluster=cluster, foreign=options["foreign"], **words)
    elif options["proof"] == "reboot":
        routers, patience = options["routers"], options["patience"]
        change = proposing.reboot(user=user, cluster=cluster, routers=routers, patience=patience, **words)
    else:
        change = proposing.failover(user=user, cluster=cluster, **words)
    return _proposed(ask, change)


def maintenance(ask: Ask) -> int:
    user, cluster, out = ask.person(), ask.cluster_to_act_on(), ask.options["direction"] == "out"
    words = {name: ask.options[name] for name in ("title", "reason")}
    return _proposed(
        ask, proposing.maintain(user=user, cluster=cluster, router=ask.options["router"], out=out, **words)
    )


def _proposed(ask: Ask, change: ChangeRequest) -> int:
    """Planned; with --start carried out, which is refused (exit 3) where somebody else has to approve it first."""
    if ask.options["start"] and ask.options["no_wait"]:
        raise WrongUse("--start waits for the plan: leave out --no-wait.")
    ask.say(f"change #{change.pk} proposed")
    follow(ask, change.runs.get())
    change.refresh_from_db()
    if not ask.options["start"] or change.state not in _STANDING:
        ask.answer(show.change_data(change), show.change_text(change))
        return DONE if ask.options["no_wait"] or change.state in _STANDING else FAILED
    run = follow(ask, services.apply_change(user=ask.person(), change=change))
    change.refresh_from_db()
    ask.answer({**show.change_data(change), "run": show.run_data(run)}, f"run {run.pk}: {run.outcome}")
    return DONE if run.state == Run.State.SUCCEEDED else FAILED


def window(ask: Ask) -> int:
    """Shows the window; with any option sets it, keeping what is not named."""
    wanted = {field: ask.options[field] for field in _WINDOW if ask.options[field] is not None}
    if wanted:
        cluster = ask.cluster_to_act_on()
        row = windows.window_of(cluster)
        present, seen = _present(row, wanted), windows.stored_values(row)
        windows.set_window(user=ask.person(), cluster=cluster, seen=seen, **{**present, **wanted})
    else:
        cluster = ask.cluster()
    hours = page.hours(cluster)
    data = _data(hours) if hours else None
    ask.answer({"cluster": cluster.name, "window": data}, _text(cluster, hours))
    return DONE


def _present(row: Window | None, wanted: dict[str, Any]) -> dict[str, Any]:
    if row is None and not {"cron", "minutes"} <= wanted.keys():
        raise WrongUse("Say when it opens and for how long: --cron '0 2 * * 0' --minutes 120.")
    return windows.stored_values(row or Window())


def _data(hours: page.Hours) -> dict[str, Any]:
    fields = {field: getattr(hours.window, field) for field in _WINDOW}
    return {**fields, "in_words": hours.words, "open_until": hours.until, "opens": hours.opens}


def _text(cluster: Cluster, hours: page.Hours | None) -> str:
    if hours is None:
        return f"{cluster.name} has no maintenance window"
    row = hours.window
    state = f"open until {hours.until}" if hours.until else f"opens {hours.opens or 'never: disabled'}"
    return f"{cluster.name}: {hours.words} ({row.time_zone}), {row.minutes} minutes; {state}"
