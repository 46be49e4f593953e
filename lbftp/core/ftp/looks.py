"""What a look at real servers' own machines leaves in a run's result, and whose each of its
findings is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from lbftp.core.ftp.host import FtpHost

_CODES: Final = ("ftpd-", "server-")


def looked_at(hosts: Mapping[str, FtpHost], reasons: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row a server, in the order of names: its daemons, or the reason for which it was not
    looked at.
    """
    rows = {name: {"name": name, "daemons": _daemons(host), "reason": ""} for name, host in hosts.items()}
    rows |= {name: {"name": name, "daemons": [], "reason": reason} for name, reason in reasons.items()}
    return [rows[name] for name in sorted(rows)]


def _daemons(host: FtpHost) -> list[str]:
    return sorted({one.daemon for one in host.instances})


def of_a_machine(finding: Mapping[str, Any]) -> bool:
    """Whether a look at a server's own machine found it."""
    return str(finding.get("code", "")).startswith(_CODES)


def server_of(finding: Mapping[str, Any], names: Collection[str]) -> str:
    """The real server of `names` that the finding is about; '' for any other finding.

    Those of a machine begin with the server's name; `passive-outside` has it in place of a
    router's.
    """
    if of_a_machine(finding):
        name = str(finding.get("what", "")).partition(":")[0]
    else:
        name = str(finding.get("router", "")) if finding.get("code") == "passive-outside" else ""
    return name if name in names else ""
