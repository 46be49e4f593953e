"""The documents say what is there: settings, sub-commands, targets, links."""

from __future__ import annotations

import argparse
import re
import subprocess
from pathlib import Path

import pytest
from django.core.management.base import CommandParser

from lbftp.cli import arguments

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
# Set by lbftp for its own processes; nobody is meant to set it.
INTERNAL = {"LBFTP_STACK"}
_SETTING = re.compile(r"\bLBFTP_[A-Z][A-Z_]*[A-Z]\b")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_TARGET = re.compile(r"\bmake ([a-z][a-z-]*)\b")


def settings_in(*paths: Path) -> set[str]:
    return {name for path in paths for name in _SETTING.findall(path.read_text())}


def source_files() -> list[Path]:
    folders = (ROOT / name for name in ("lbftp", "workers", "lab", "ops"))
    return [ROOT / "Makefile", *(path for folder in folders for path in folder.rglob("*.py"))]


def sub_commands() -> list[str]:
    parser = CommandParser()
    arguments.add(parser)
    actions = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return [name for action in actions for name in action.choices]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_setting_is_documented() -> None:
    assert settings_in(*source_files()) - INTERNAL - settings_in(ROOT / "docs" / "settings.md") == set()


def test_every_documented_setting_is_used() -> None:
    assert settings_in(*DOCUMENTS) - settings_in(*source_files()) == set()


@pytest.mark.parametrize("name", sub_commands())
def test_every_sub_command_is_documented(name: str) -> None:
    assert f"`{name} " in (ROOT / "docs" / "cli.md").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_pictures_lead_somewhere(document: Path) -> None:
    inner = [link for link in _LINK.findall(document.read_text()) if "://" not in link and not link.startswith("#")]
    missing = [link for link in inner if not (document.parent / link.partition("#")[0]).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_targets_in_documents_exist(document: Path) -> None:
    code = "\n".join(re.findall(r"`[^`]+`|^    .*$", document.read_text(), re.MULTILINE))
    assert set(_TARGET.findall(code)) - targets() == set()


def test_make_help_lists_every_target_for_people() -> None:
    said = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    wanted = {"demo", "test", "run", "lint", "lab-up", "lab-reset", "lab-down", "bench", "clean", "format"}
    assert wanted <= set(re.findall(r"^  make ([a-z-]+) ", said, re.MULTILINE))


def test_every_page_is_reached_from_the_readme() -> None:
    links = set(_LINK.findall((ROOT / "README.md").read_text()))
    pages = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    assert pages - links == set()
