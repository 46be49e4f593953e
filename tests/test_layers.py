"""Who may import whom (docs/architecture.md). Every import of every module is read, also those inside functions."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# The first pattern that fits tells a module's layer.
LAYERS = [
    ("core", r"lbftp\.core(\..*)?"),
    ("celery", r"lbftp\.celery"),
    ("dispatch", r"lbftp\.dispatch"),
    ("migrations", r"lbftp\.\w+\.migrations\..*"),
    ("faces", r"lbftp\.(asgi|urls|settings)"),
    ("apps", r"lbftp\.\w+\.apps"),
    (
        "models",
        r"lbftp\.\w+\.models|lbftp\.changes\.(states|origin|trail)|lbftp\.inventory\.(fields|crypto)|lbftp(\.\w+)?",
    ),
    ("models", r"lbftp\.clusters\.(drafts|values)"),
    ("specs", r"lbftp\.clusters\.specs"),
    ("access", r"lbftp\.accounts\.access"),
    ("publish", r"lbftp\.live\.publish"),
    (
        "services",
        r"lbftp\.\w+\.services(\..*)?|lbftp\.inventory\.sealing|lbftp\.changes\.(errors|approvals|terms|cron|editing)",
    ),
    ("faces", r"lbftp\..*"),
    ("remote", r"workers\.remote"),
    ("here", r"workers\.here"),
    ("doors", r"workers\.(tasks|execution|life)"),
    ("hands", r"workers(\..*)?"),
]
# What each layer may import of ours. `faces` are pages, forms, sockets and the command line.
MAY = {
    "core": {"core"},
    "celery": set(),
    "dispatch": {"celery"},
    "migrations": {"models"},
    # Where Django is told what belongs to an app: receivers of its signals.
    "apps": {"faces"},
    "models": {"core", "models"},
    "specs": {"core", "models"},
    "access": {"models"},
    "publish": set(),
    "services": {"core", "models", "specs", "access", "publish", "dispatch", "services"},
    "faces": {"core", "models", "specs", "access", "publish", "services", "faces"},
    "remote": {"core", "hands"},
    "here": {"core", "hands", "remote"},
    "hands": {"core", "hands", "remote", "here"},
    "doors": {"core", "models", "services", "celery", "hands", "remote", "doors"},
}
# Packages of others that only the named layers may import.
KEPT = {
    "fabric": {"remote"},
    "paramiko": {"remote"},
    "invoke": {"remote"},
    "celery": {"celery", "doors"},
    "kombu": {"celery", "dispatch", "doors"},
    "channels": {"publish", "faces"},
    "subprocess": {"here"},
    "django": {"apps", "models", "migrations", "specs", "access", "publish", "services", "faces", "doors"},
}
# What would make the same spec give other bytes tomorrow.
UNSTEADY = {"random", "secrets", "time", "datetime", "os", "logging", "socket", "subprocess", "threading"}


def modules() -> list[tuple[str, Path]]:
    files = sorted(path for top in ("lbftp", "workers") for path in (ROOT / top).rglob("*.py"))
    return [(name_of(path), path) for path in files]


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> str:
    return next(layer for layer, pattern in LAYERS if re.fullmatch(pattern, module))


def imports(path: Path) -> Iterator[str]:
    """Full names; `from a import b` gives a.b if that is a module of ours, else a."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            yield from (_meant(node.module or "", alias.name) for alias in node.names)


def _meant(module: str, name: str) -> str:
    inner = ROOT.joinpath(*module.split("."), name)
    return f"{module}.{name}" if inner.with_suffix(".py").exists() or inner.is_dir() else module


@pytest.mark.parametrize(("module", "path"), modules(), ids=lambda value: value if isinstance(value, str) else "")
def test_imports_follow_the_table(module: str, path: Path) -> None:
    layer = layer_of(module)
    for target in set(imports(path)):
        top = target.partition(".")[0]
        if top in ("lbftp", "workers"):
            assert layer_of(target) in MAY[layer], f"{module} ({layer}) imports {target} ({layer_of(target)})"
        assert layer in KEPT.get(top, {layer}), f"{module} ({layer}) imports {target}"
        assert top not in ("lab", "ops", "tests"), f"{module} imports {target}"


@pytest.mark.parametrize("path", [p for m, p in modules() if layer_of(m) == "core"], ids=lambda p: p.stem)
def test_the_core_is_pure(path: Path) -> None:
    for target in imports(path):
        top = target.partition(".")[0]
        assert top == "lbftp" or top in sys.stdlib_module_names, f"{path.name} imports {target}"
        assert top not in UNSTEADY, f"{path.name} imports {target}"


@pytest.mark.parametrize("path", [p for m, p in modules() if layer_of(m) == "core"], ids=lambda p: p.stem)
def test_the_core_opens_nothing(path: Path) -> None:
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & {"open", "input", "print", "eval", "exec", "__import__"}


def test_doors_are_narrow() -> None:
    """A task is a door: ten lines, no rules."""
    tree = ast.parse((ROOT / "workers" / "tasks.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 10, node.name


def test_the_table_sees_what_it_should() -> None:
    """The check itself: each of these would have to be found."""
    for module, target in [
        ("lbftp.core.plan", "lbftp.changes.models"),
        ("lbftp.changes.views", "workers.apply"),
        ("lbftp.changes.services.runs", "lbftp.changes.views"),
        ("workers.rollout", "lbftp.changes.models"),
        ("lbftp.changes.models", "lbftp.changes.services.runs"),
        ("lbftp.live.consumers", "lbftp.dispatch"),
    ]:
        assert layer_of(target) not in MAY[layer_of(module)], (module, target)
