"""Pure-FTPd's options in pure-ftpd.conf, or as Debian has them, one file each.

Sources: pure-ftpd.conf (of several lines for one option the last counts, measured); pure-ftpd-wrapper(8): files' names
know case, the first line that is neither empty nor a comment counts, a file without one is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from ipaddress import IPv4Address
from typing import Final

from lbftp.core.ftp_keys.lines import Unsettable, Wanted, appended, checked, plain, with_options
from lbftp.core.ftp_keys.vsftpd import ADDRESS, RANGE
from lbftp.core.observe.ftpd import FtpServer
from lbftp.core.render.ftpd_parts import idle_timeout, names_vip
from lbftp.core.spec import ClusterSpec

CODES: Final = ADDRESS | RANGE | {"ftpd-idle-timeout", "ftpd-passive-off"}
_LINE: Final = re.compile(r"\s*([A-Za-z0-9]+)(?:\s*:\s*|\s+)\S.*")


def wanted(spec: ClusterSpec, one: FtpServer, codes: AbstractSet[str]) -> Wanted:
    """The options that findings with these codes ask for. Raises Unsettable."""
    if one.included:
        raise Unsettable(f"the file includes {', '.join(one.included)[:80]}, which may set the same options")
    need: dict[str, str | None] = {}
    if codes & (RANGE | {"ftpd-passive-off"}) and one.passive != (spec.passive.low, spec.passive.high):
        need["PassivePortRange"] = f"{spec.passive.low:d} {spec.passive.high:d}"
    if codes & ADDRESS:
        need["ForcePassiveIP"] = f"{IPv4Address(str(spec.vip))}" if names_vip(spec) else None
    if "ftpd-idle-timeout" in codes:
        need["MaxIdleTime"] = f"{max(1, idle_timeout(spec) // 60):d}"
    if "ftpd-passive-off" in codes:
        need["NATmode"] = "no"
    return need


def edited(text: str, need: Wanted) -> str:
    """The text of pure-ftpd.conf with these options. Raises Unsettable."""
    return with_options(text, need, lambda line, option: _option(line) == option.lower(), " ")


def _option(line: str) -> str:
    match = _LINE.fullmatch(line)
    return match[1].lower() if match else ""


def files_edited(files: Mapping[str, str], need: Wanted) -> dict[str, str]:
    """Option -> its file's text, only those that change; comments in it stay. Raises Unsettable."""
    after = {}
    for option, value in checked(need).items():
        text = plain(files.get(option, ""))
        lines = text.split("\n")
        at = next((n for n, line in enumerate(lines) if line.strip() and not line.strip().startswith("#")), None)
        if at is not None:
            new = "\n".join([*lines[:at], *([value] if value is not None else []), *lines[at + 1 :]])
        else:
            new = appended(text, value) if value is not None else text
        if new != text or (value is not None and option not in files):
            after[option] = new
    return after


def spelled(need: Wanted, folder: str = "") -> list[str]:
    """The lines for somebody who sets them by hand; with `folder`, whose files hold them."""
    if folder:
        return [
            f"{folder}/{option}: {value}" if value is not None else f"no {folder}/{option}"
            for option, value in need.items()
        ]
    return [f"{option} {value}" if value is not None else f"no {option}" for option, value in need.items()]
