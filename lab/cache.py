"""The cache of images and snapshots: where each lives, whether it is whole, what is too old to keep."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from lab import manifest, processes
from lab.places import RECIPE

# Python files that decide what is in an image or how a snapshot's machine is made up.
RECIPE_SOURCES = ("topology.py", "guest.py", "image.py", "command.py")
KEEP = 2
# A link to a short path: socket paths have a length limit that a cache's path easily exceeds.
SOCKETS = "sockets"


def digest(recipe: Path = RECIPE) -> str:
    """A short name for the recipe: changes when any file of it does (content, name or executable bit)."""
    sources = [recipe.parent / name for name in RECIPE_SOURCES]
    total = hashlib.sha256()
    for path in sorted(recipe.rglob("*")) + sources:
        if path.is_symlink():
            total.update(f"link {path.relative_to(recipe.parent)} {path.readlink()}\0".encode())
        elif path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            executable = os.access(path, os.X_OK)
            total.update(f"file {path.relative_to(recipe.parent)} {executable} {content}\0".encode())
    return total.hexdigest()[:16]


def complete(folder: Path) -> bool:
    """Whether the folder was finished and nothing of it is missing or broken."""
    return manifest.complaint(folder) is None


def discard(folder: Path) -> None:
    """Remove the folder; programs of a build that was killed in it are ended first."""
    for pid in processes.using(folder):
        processes.stop(pid)
    sockets = folder / SOCKETS
    if sockets.is_symlink():
        shutil.rmtree(sockets.readlink(), ignore_errors=True)
    if folder.exists():
        shutil.rmtree(folder)


def publish(building: Path, final: Path) -> None:
    """Make a finished folder visible under its name, in one step."""
    manifest.write(building)
    discard(final)
    building.rename(final)


def prune(root: Path, current: Path) -> list[Path]:
    """Remove the least recently used images beyond KEEP, never the current one nor one that somebody runs.

    Returns what was removed.
    """
    os.utime(current)
    folders = [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]
    folders.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    old = [path for path in folders[KEEP:] if path != current and not processes.using(path)]
    for path in old:
        discard(path)
    return old
