"""Clusters as code: YAML files to drafts and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml
from django.db import transaction

from lbftp.cli.ask import Ask, WrongUse
from lbftp.cli.exits import DONE
from lbftp.clusters import services
from lbftp.clusters.specs import check_draft


class _Loader(yaml.SafeLoader):
    """Plain values only; a key that is there twice is an error instead of a silent choice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := sorted({str(k) for k in keys if keys.count(k) > 1}):
            raise WrongUse(f"{twice[0]!r} is there twice (line {node.start_mark.line + 1}): keep one.")
        return super().construct_mapping(node, deep)


def load(ask: Ask) -> int:
    """All clusters of the file or, if one of them cannot be accepted, none."""
    user, team = ask.person(), ask.team()
    with transaction.atomic():
        clusters = [services.load(user=user, team=team, data=data) for data in _entries(ask.options["file"])]
    found = {c.name: check_draft(c, team) for c in clusters}
    for name, problems in found.items():
        ask.say(f"{name}: draft saved" + (f", {len(problems)} problems to look at" if problems else ""))
        for p in problems:
            ask.say(f"  {p['severity']} {p['code']} {p['field']}: {p['reason']} {p['remedy']}".rstrip())
    ask.answer({"clusters": [{"cluster": name, "problems": problems} for name, problems in found.items()]})
    return DONE


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
