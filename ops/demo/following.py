"""Follows a run by its event rows, as the run page does, and prints what happens while it happens."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lbftp.changes.models import Run, RunEvent
from lbftp.core.sessions import label
from ops.demo.report import Report

PATIENCE = 300.0
_ENDED = (Run.State.SUCCEEDED, Run.State.FAILED, Run.State.ERRORED, Run.State.CANCELLED)
_SIGNS = {"done": "+", "failed": "!", "skipped": "-"}


@dataclass(slots=True)
class Followed:
    """A run that ended. `live_steps`: steps seen finishing before the run had ended."""

    run: Run
    events: list[RunEvent] = field(default_factory=list)
    live_steps: int = 0

    @property
    def good(self) -> bool:
        return self.run.state == Run.State.SUCCEEDED

    @property
    def why(self) -> str:
        return f"run {self.run.pk} ({self.run.kind}) is {self.run.state}: {self.run.outcome}"

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The data of all events of a kind, in order, with the router's name."""
        return [{**event.data, "router": event.router} for event in self.events if event.kind == kind]


def follow(run: Run, report: Report, *, patience: float = PATIENCE) -> Followed:
    """Wait until the run has ended. Raises TimeoutError if it does not within `patience` seconds."""
    seen = Followed(run)
    began = time.monotonic()
    while True:
        run.refresh_from_db()
        ended = run.state in _ENDED
        for event in run.events.filter(seq__gt=len(seen.events)):
            seen.events.append(event)
            seen.live_steps += not ended and event.kind == "step" and event.data.get("state") == "done"
            if line := _line(event):
                report.say(f"{(event.at - run.created_at).total_seconds():5.1f}  {line}")
        if ended:
            return seen
        if time.monotonic() - began > patience:
            raise TimeoutError(f"run {run.pk} ({run.kind}) is still {run.state} after {patience:.0f} s")
        time.sleep(0.1)


def _line(event: RunEvent) -> str:
    form = _FORMS.get(event.kind)
    return form(event.router, event.data) if form else ""


def _step(router: str, data: dict[str, Any]) -> str:
    if data["state"] not in _SIGNS:
        return ""
    seconds = f" ({data['seconds']:.1f} s)" if data.get("seconds") is not None else ""
    said = f": {data['message']}" if data.get("message") else ""
    return f"{router} {_SIGNS[data['state']]} {data['title']}{seconds}{said}"


def _session(_router: str, data: dict[str, Any]) -> str:
    sign, server = "+" if data["ok"] else "!", data.get("real_server") or "no server"
    said = "" if data["ok"] else f" {data.get('stage', '')}: {data.get('message', '')}"
    return f"FTP {sign} {label(data)} from {data.get('source', '?')} reached {server}{said}"


def _finding(router: str, data: dict[str, Any]) -> str:
    mended = " (put right)" if data.get("repaired") else ""
    return f"{router or 'pair'} ! {data['severity']}: {data['what']}{mended}"


_FORMS: dict[str, Callable[[str, dict[str, Any]], str]] = {
    "phase": lambda _, data: f"-- {data['title']}",
    "step": _step,
    "output": lambda router, data: "\n      ".join(f"{router} | {text}" for text in str(data["text"]).splitlines()),
    "session": _session,
    "finding": _finding,
    "note": lambda router, data: f"{router} note: {data['text']}".strip(),
}
