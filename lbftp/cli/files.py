"""Clusters as code: YAML files to drafts and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml
from django.db import transaction

from lbftp.changes import editing
from lbftp.changes.editing import Values
from lbftp.changes.errors import Conflict, Edit
from lbftp.cli.ask import Ask, WrongUse
from lbftp.cli.exits import DONE
from lbftp.clusters import services
from lbftp.clusters.models import Cluster
from lbftp.clusters.specs import check_draft
from lbftp.clusters.values import values, version


class _Loader(yaml.SafeLoader):
    """Plain values only; a key that is there twice is an error instead of a silent choice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := sorted({str(k) for k in keys if keys.count(k) > 1}):
            raise WrongUse(f"{twice[0]!r} is there twice (line {node.start_mark.line + 1}): keep one.")
        return super().construct_mapping(node, deep)


def load(ask: Ask) -> int:
    """All clusters of the file or, if one of them cannot be accepted, none."""
    with transaction.atomic():
        loaded = [_load(ask, data) for data in _entries(ask.options["file"])]
    answers = [_loaded(ask, cluster, replaced) for cluster, replaced in loaded]
    ask.answer({"clusters": answers})
    return DONE


def _load(ask: Ask, data: Any) -> tuple[Cluster, list[dict[str, Any]]]:
    """The saved cluster, and what its file took the place of."""
    user, team, force = ask.person(), ask.team(), bool(ask.options["force"])
    name = str(data.get("name", "")) if isinstance(data, dict) else ""
    there = Cluster.objects.select_for_update().filter(team=team, name=name).first()
    before = values(there) if there else {}
    known = editing.edits(services.thing_of(there), before) if there else {}
    try:
        saved = services.load(user=user, team=team, data=data, force=force)
    except Conflict as error:
        error.message = f"{error.message} Dump {name} again and put both together, or load with --force."
        raise
    after = values(saved)
    keys = [key for key in dict.fromkeys([*before, *after]) if before and before.get(key) != after.get(key)]
    return saved, [_replaced(key, before, after, known.get(key)) for key in keys]


def _replaced(key: str, before: Values, after: Values, edit: Edit | None) -> dict[str, Any]:
    by = {"by": edit.who, "at": edit.at.isoformat(timespec="seconds")} if edit else {"by": "", "at": ""}
    return {"field": key, "before": before.get(key), "after": after.get(key), **by}


def _loaded(ask: Ask, cluster: Cluster, replaced: list[dict[str, Any]]) -> dict[str, Any]:
    problems = check_draft(cluster, cluster.team)
    ask.say(f"{cluster.name}: draft saved" + (f", {len(problems)} problems to look at" if problems else ""))
    for one in replaced:
        by = f" (by {one['by']}, {one['at']})" if one["by"] else ""
        ask.say(f"  {one['field']}: was {one['before']!r}{by}, is {one['after']!r}")
    for p in problems:
        ask.say(f"  {p['severity']} {p['code']} {p['field']}: {p['reason']} {p['remedy']}".rstrip())
    return {"cluster": cluster.name, "version": version(values(cluster)), "replaced": replaced, "problems": problems}


def dump(ask: Ask) -> int:
    data = services.dump(ask.cluster())
    ask.answer(data, yaml.safe_dump(data, sort_keys=False, default_flow_style=False).rstrip())
    return DONE


def _entries(name: str) -> list[Any]:
    documents = _documents(read(name), name)
    entries: list[Any] = []
    for document in documents:
        inner = document["clusters"] if isinstance(document, dict) and set(document) == {"clusters"} else document
        entries += inner if isinstance(inner, list) else [inner]
    if not entries:
        raise WrongUse(f"{name} names no cluster: begin with `name:`, or `clusters:` and a list.")
    return entries


def _documents(text: str, name: str) -> list[Any]:
    try:
        # The loader is SafeLoader's: it builds nothing but plain values.
        return [d for d in yaml.load_all(text, Loader=_Loader) if d is not None]
    except yaml.YAMLError as error:
        raise WrongUse(f"{name} is not YAML: {error}") from error


def read(name: str) -> str:
    """The file's text; - is standard input. Raises WrongUse."""
    if name == "-":
        return sys.stdin.read()
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{name} cannot be read: {error}") from error
