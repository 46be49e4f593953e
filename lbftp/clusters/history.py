"""Revisions as text that people can compare."""

from __future__ import annotations

import difflib

import yaml

from lbftp.clusters.models import Revision


def text(revision: Revision) -> str:
    """The spec as YAML, in the order in which people think of it."""
    return str(yaml.safe_dump(revision.spec, sort_keys=False, allow_unicode=True))


def difference(older: Revision | None, newer: Revision) -> str:
    """Unified diff from `older` (None: nothing) to `newer`."""
    before = text(older).splitlines() if older else []
    lines = difflib.unified_diff(before, text(newer).splitlines(), "before", "after", lineterm="", n=3)
    return "\n".join(lines)
