"""Whether others on this host can read what a site keeps: keys, database, logs."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.conf import settings

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
# Folders whose entries are looked at: everything is within a folder that is closed, and logs are many.
_FOLDERS: Final = ("", "log", "redis", "run", "alive")


def open_to_others() -> list[Path]:
    """What is under LBFTP_VAR, or its key elsewhere, and has a bit for group or others. Nothing inside a closed
    LBFTP_VAR can be reached, so then the list is empty but for keys elsewhere."""
    wanted = [settings.SECRETS_KEY_FILE]
    if _is_open(settings.VAR):
        wanted += [settings.VAR, *_inside()]
    return [path for path in dict.fromkeys(wanted) if _is_open(path)]


def _inside() -> Iterator[Path]:
    for name in _FOLDERS:
        folder = settings.VAR / name
        if folder.is_dir():
            yield from folder.iterdir()


def _is_open(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return not stat.S_ISLNK(mode) and bool(mode & OTHERS)
