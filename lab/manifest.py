"""A list of a finished folder's files, by which a broken or half-built cache is recognised."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

NAME = "manifest.json"


def write(folder: Path) -> None:
    """Flush every file of the folder to disk and list it; the list is written last and marks the folder complete."""
    entries = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != NAME:
            _flush(path)
            entries[str(path.relative_to(folder))] = _entry(path)
    new = folder / f"{NAME}.new"
    new.write_text(json.dumps(entries, indent=1))
    _flush(new)
    new.rename(folder / NAME)


def complaint(folder: Path) -> str | None:
    """Why the folder cannot be used, or None if it is complete.

    A file whose size and time are as listed is taken as it is; another time makes its content be compared.
    """
    try:
        entries = json.loads((folder / NAME).read_text())
    except FileNotFoundError:
        return "not complete"
    except ValueError:
        return "unreadable list of files"
    for name, (size, changed, digest) in entries.items():
        wrong = _file_complaint(folder / name, size, changed, digest)
        if wrong:
            return f"{name}: {wrong}"
    return None


def _file_complaint(path: Path, size: int, changed: int, digest: str) -> str | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return "missing"
    if status.st_size != size:
        return f"{status.st_size} bytes, should be {size}"
    if status.st_mtime_ns != changed and _digest(path) != digest:
        return "content changed"
    return None


def _entry(path: Path) -> tuple[int, int, str]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, _digest(path)


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _flush(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
