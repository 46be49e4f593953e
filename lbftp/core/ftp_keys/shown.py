"""Differences of servers' own files as people see them, and as they are stored: the lines that change and, beside them,
lines that can hold no secret."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Final

from lbftp.core.ftp_keys.instance import Edit
from lbftp.core.observe.ftpd import Daemon
from lbftp.core.plan import Change

HIDDEN: Final = "(a line that is not shown: it might hold a secret)"
_AROUND: Final = 2
# What ProFTPD's modules for databases, directories and other log-ins are given stands in plain text in its file, so
# only directives that are known to hold none are shown of it.
_KNOWN: Final = frozenset({
    "defaultaddress", "defaultserver", "include", "masqueradeaddress", "maxinstances", "passiveports", "port",
    "rootrevoke", "servername", "servertype", "socketbindtight", "timeoutidle", "timeoutlogin", "timeoutnotransfer",
    "timeoutstalled", "tlsengine", "tlsoptions", "tlsprotocol", "tlsrequired", "umask", "useipv6", "usereversedns",
})  # fmt: skip
SECRET: Final = re.compile(
    r"pass|secret|sql|ldap|radius|redis|auth|cred|token|key|login|crypt|\bpw|\bpin\b|dsn|bind|://|\$[0-9a-z]+\$",
    re.IGNORECASE,
)


def difference(daemon: Daemon, edit: Edit) -> Change:
    """`before` and `after` of it are only the lines that go and come."""
    old, new = (edit.before or "").splitlines(), edit.after.splitlines()
    rows = list(difflib.unified_diff(old, new, "now", "after", lineterm="", n=_AROUND))
    gone = "".join(f"{row[1:]}\n" for row in rows[2:] if row.startswith("-"))
    come = "".join(f"{row[1:]}\n" for row in rows[2:] if row.startswith("+"))
    return Change(edit.path, None if edit.before is None else gone, come, "\n".join(_masked(daemon, rows)))


def _masked(daemon: Daemon, rows: list[str]) -> Iterator[str]:
    for number, row in enumerate(rows):
        context = number > 1 and row.startswith(" ")
        yield f" {HIDDEN}" if context and not harmless(daemon, row[1:]) else row


def harmless(daemon: Daemon, line: str) -> bool:
    """Whether a line that stays may be shown."""
    plain = line.strip()
    if not plain or re.fullmatch(r"</?[A-Za-z]+[^<>]*>", plain):
        return not SECRET.search(plain)
    if daemon == "proftpd" and not plain.startswith("#"):
        return plain.split()[0].lower() in _KNOWN
    return not SECRET.search(plain)
