"""Who really calls the command line: an account of this machine, whatever `--user` says."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from typing import Final

_MOST: Final = 64


def words(environment: Mapping[str, str] = os.environ) -> str:
    """ "by the command line, system account root", and what sudo says of who called it: that is a claim, since whoever
    is root may set it."""
    said = f"by the command line, system account {_account(os.getuid())}"
    sudo = _plain(environment.get("SUDO_USER", ""))

    return f"{said} (sudo says: called by {sudo})" if sudo else said


def _account(uid: int) -> str:
    """The account's name; its number where this machine knows no name for it."""
    try:
        return _plain(pwd.getpwuid(uid).pw_name) or str(uid)
    except KeyError:
        return str(uid)


def _plain(name: str) -> str:
    return "".join(c for c in name if c.isprintable())[:_MOST]
