"""Everything that is installed is pinned, and pinned as it is installed."""

from __future__ import annotations

import re
from importlib import metadata

from packaging.requirements import Requirement

from ops.places import ROOT

# Part of every virtual environment.
GIVEN = {"pip", "setuptools", "wheel"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned() -> dict[str, Requirement]:
    lines = [
        line for name in ("requirements.txt", "requirements-dev.txt") for line in (ROOT / name).read_text().splitlines()
    ]
    found = [Requirement(line) for line in lines if line and not line.startswith(("#", "-r"))]
    return {normal(each.name): each for each in found}


def test_each_requirement_names_one_version() -> None:
    assert [str(each) for each in pinned().values() if not re.fullmatch(r"==[0-9a-z.]+", str(each.specifier))] == []


def test_what_is_installed_is_what_is_pinned() -> None:
    installed = {normal(d.metadata["Name"]): d.version for d in metadata.distributions()}
    wanted = {
        name: str(each.specifier).removeprefix("==")
        for name, each in pinned().items()
        if each.marker is None or each.marker.evaluate()
    }
    assert {name: version for name, version in installed.items() if name not in GIVEN} == wanted
