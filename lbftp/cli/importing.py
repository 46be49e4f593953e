"""What already runs on routers: as YAML that `load` takes, or as drafts right away."""

from __future__ import annotations

from typing import Any

import yaml

from lbftp.accounts import access
from lbftp.changes.models import Run
from lbftp.changes.services import imports
from lbftp.cli.ask import Ask, WrongUse
from lbftp.cli.exits import DONE, FAILED
from lbftp.cli.follow import follow
from lbftp.inventory.models import Router


def bring_in(ask: Ask) -> int:
    """Done when the routers could be read, also when no cluster runs there. With --save every proposal becomes a
    draft."""
    user, team = ask.person(), ask.team()
    names = ask.options["routers"]
    rows = {r.name: r for r in access.visible(user, Router).filter(team=team, name__in=names)}
    if missing := [name for name in names if name not in rows]:
        raise WrongUse(f"The team has no router {', '.join(missing)}: enrol it on the site first.")
    run = follow(ask, imports.start(user=user, team=team, routers=[rows[name] for name in names]))
    found = imports.proposals(run)
    saved = [imports.save(user=user, run=run, name=p["name"]).name for p in found] if ask.options["save"] else []
    drafts = [imports.draft(run, p["name"]) for p in found]
    data = {"run": run.pk, "state": run.state, "clusters": drafts, "proposals": found, "saved": saved}
    ask.answer(data, _text(run, drafts, found, saved))
    if ask.options["no_wait"]:
        return DONE
    return DONE if run.state == Run.State.SUCCEEDED else FAILED


def _text(run: Run, drafts: list[dict[str, Any]], found: list[dict[str, Any]], saved: list[str]) -> str:
    """YAML with everything else in comments, so that it can be piped into a file."""
    if not found:
        return f"# {run.outcome}" if run.outcome else f"# run {run.pk} started"
    lines: list[str] = []
    for draft, proposal in zip(drafts, found, strict=True):
        lines += [f"# {line}" for line in _notes(proposal)]
        lines += ["---", *yaml.safe_dump(draft, sort_keys=False, default_flow_style=False).splitlines()]
    return "\n".join([*lines, *(f"# {name}: draft saved" for name in saved)])


def _notes(proposal: dict[str, Any]) -> list[str]:
    notes = [f"{proposal['name']}: {proposal['problem'] or 'a whole cluster'}"]
    if proposal["left"]:
        notes.append("Not taken over as it is:")
        notes += [f"  {_place(item)}{item['what']}: {item['why']}" for item in proposal["left"]]
    if proposal["in_the_way"]:
        notes.append("To be removed by hand before an apply:")
        notes += [f"  {i['router']}: {i['place']}: {i['what']} ({i['why']})" for i in proposal["in_the_way"]]
    return [" ".join(note.split("\n")) for note in notes]


def _place(item: dict[str, Any]) -> str:
    where = f"{item['file']}:{item['line']}" if item["line"] else item["file"]
    return "".join(f"{word}: " for word in (item["router"], where) if word)
