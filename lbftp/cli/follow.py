"""Waiting for a run, telling its events as they come."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from django.db import close_old_connections

from lbftp.changes.errors import ServiceError
from lbftp.changes.models import Run, RunEvent
from lbftp.cli.ask import Ask
from lbftp.core.ours import restore_command
from lbftp.core.sessions import label, measured
from lbftp.database import AWAY

_LOOK_EVERY: Final = 0.3
# A database that does not answer is asked less often.
_AWAY_FOR: Final = 5.0
_ENDED: Final = (Run.State.SUCCEEDED, Run.State.FAILED, Run.State.ERRORED, Run.State.CANCELLED)

_GUARD: Final = {"confirmed": "confirmed", "restored": "put back as it was"}


def follow(ask: Ask, run: Run) -> Run:
    """The run as it stands at its end, or right away with --no-wait. ServiceError when --timeout is over first."""
    if ask.options["no_wait"]:
        return run
    until, last = time.monotonic() + ask.options["timeout"], 0
    while True:
        for event in _news(ask, run, last):
            last = event.seq
            for line in lines(event):
                ask.say(line)
        if run.state in _ENDED:
            return run
        if time.monotonic() >= until:
            waits = "no worker took it yet" if run.state == Run.State.QUEUED else "it goes on"
            raise ServiceError(f"Run {run.pk} has not ended in {ask.options['timeout']:g} s: {waits}.")
        time.sleep(_LOOK_EVERY)


def _news(ask: Ask, run: Run, last: int) -> list[RunEvent]:
    """Brings `run` up to date; its events after `last`. Nothing happens while the database does not answer."""
    state = run.state
    try:
        # The state is read before the events: an ended run has no events that this look would miss.
        run.refresh_from_db()
        return list(run.events.filter(seq__gt=last))
    except AWAY:
        run.state = state
        ask.say("The database does not answer; asking again.")
        close_old_connections()
        time.sleep(_AWAY_FOR)
        return []


def lines(event: RunEvent) -> Iterator[str]:
    """What is printed for one event."""
    data, where = event.data, f"[{event.router}] " if event.router else ""
    if event.kind == "phase":
        yield f"== {data.get('title') or data['name']}"
    elif event.kind == "step" and data["state"] != "started":
        title, words = data.get("title") or data["id"], data.get("message") or ""
        yield f"{where}{title}: {data['state']}{_took(data)} {words}".rstrip()
    elif event.kind == "output":
        yield from (f"{where}  | {text}" for text in str(data["text"]).splitlines())
    elif proven := _PROOF.get(event.kind):
        yield from proven(data)
    elif event.kind == "finding":
        yield f"{where}{finding(data)}"
    elif event.kind == "note":
        yield f"{where}{data.get('level', 'info')}: {data['text']}"
    elif event.kind == "guard":
        waits = f"{data['state']}, puts back in {data['seconds']} s unless confirmed"
        yield f"{where}guard: {_GUARD.get(data['state'], waits)}"
    elif event.kind == "checkpoint":
        yield f"{where}by hand, as root: {restore_command(data['name'])}"
    elif event.kind == "end":
        yield f"== {data['state']}: {data['outcome']}"


def _session(data: dict[str, Any]) -> Iterator[str]:
    """A session in a line, and if it failed everything that helps to see why."""
    place = f" from {data['place']}" if data.get("place") else ""
    server = data.get("real_server") or "(no real server)"
    if data["ok"]:
        yield f"{label(data)} {server}{place}: ok{_took(data)}{measured(data)}"
        return
    verdict = f"FAILED {data.get('stage') or ''} {data.get('message') or ''}".rstrip()
    yield f"{label(data)} {server}{place}: {verdict}{_took(data)}"
    for name in ("command", "reply", "control", "data"):
        if data.get(name):
            yield f"  {name}: {data[name]}"
    if why := data.get("why"):
        yield f"  why: {why['reason']} (look at: {why['hop']})"


def _unseen(data: dict[str, Any]) -> Iterator[str]:
    kind = f" by {data['kind']}" if data["kind"] else ""
    yield f"{data['real_server']} was not reached{kind}: {data['reason']}"


_PROOF: Final = {"session": _session, "unseen": _unseen}


def finding(data: dict[str, Any]) -> str:
    """One finding on one line."""
    fate = " (put right)" if data.get("repaired") else ""
    text = f"finding {data['severity']} {data['code']}: {data['what']}{fate}"
    return f"{text}; expected {data.get('expected') or '-'}, found {data.get('found') or '-'}"


def _took(data: dict[str, Any]) -> str:
    seconds = data.get("seconds")
    return "" if seconds is None else f" ({seconds:.1f} s)"
