"""Pure-FTPd's options in pure-ftpd.conf, or as Debian has them, one file each.

Sources: pure-ftpd.conf (of several lines for one option the last counts, measured);
pure-ftpd-wrapper(8): files' names know case, the first line that is neither empty nor a comment
counts, a file without one is passed over.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from ipaddress import IPv4Address
from typing import Final

from lbftp.core.ftp.daemon import Asked, Settings
from lbftp.core.ftp.editing import (
    ADDRESS_CODES,
    RANGE_CODES,
    Edit,
    Unsettable,
    Wanted,
    appended,
    checked,
    plain,
    with_options,
)
from lbftp.core.ftp.parts import idle_timeout, names_vip
from lbftp.core.ftp.pure_ftpd.read import OPTIONS, option_files
from lbftp.core.ftp.server import FtpServer
from lbftp.core.spec import ClusterSpec

CODES: Final = ADDRESS_CODES | RANGE_CODES | {"ftpd-idle-timeout", "ftpd-passive-off"}
_LINE: Final = re.compile(r"\s*([A-Za-z0-9]+)(?:\s*:\s*|\s+)\S.*")


def wanted(spec: ClusterSpec, one: FtpServer, codes: AbstractSet[str]) -> Wanted:
    """The options that findings with these codes ask for. Raises Unsettable."""
    if one.included:
        raise Unsettable(f"the file includes {', '.join(one.included)[:80]}, which may set the same options")
    need: dict[str, str | None] = {}
    if codes & (RANGE_CODES | {"ftpd-passive-off"}) and one.passive != (spec.passive.low, spec.passive.high):
        need["PassivePortRange"] = f"{spec.passive.low:d} {spec.passive.high:d}"
    if codes & ADDRESS_CODES:
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


def _spelled(asked: Asked, need: Wanted) -> list[str]:
    return spelled(need, OPTIONS if asked.config == OPTIONS else "")


def _edited(asked: Asked, need: Wanted) -> dict[str, str]:
    if asked.config != OPTIONS:
        return {asked.config: edited(asked.files[asked.config], need)}
    after = files_edited(option_files(asked.files), need)
    return {f"{OPTIONS}/{option}": text for option, text in after.items()}


def _judge(config: str, edits: Sequence[Edit], _whole: str) -> str:
    if config == OPTIONS:
        return _judge_folder(edits)
    more = r"printf '\nBind ,%s\nDaemonize no\nPIDFile %s\n' " + '"$port" "$work/pid" >>"$work/new"'
    return f"""printf %s {shlex.quote(edits[0].after)} >"$work/new" && port=$(spare) || return 1
{more}
tried "$port" pure-ftpd "$work/new\""""


def _judge_folder(edits: Sequence[Edit]) -> str:
    """Debian's wrapper reads its folder and no other, so it sees a copy of it there, in a mount
    namespace.
    """
    writes = "\n".join(
        f'printf %s {shlex.quote(e.after)} >"$work/conf/"{shlex.quote(e.path.rpartition("/")[2])} || return 1'
        for e in edits
    )
    return f"""cp -Rp {OPTIONS} "$work/conf" && port=$(spare) || return 1
{writes}
unshare --mount sh -c 'mount --bind "$1" {OPTIONS} && pure-ftpd-wrapper --show-options' - "$work/conf" \\
  >"$work/options" 2>"$work/said" || {{ refused "$work/said" "the wrapper refuses the new options"; return 1; }}
tried "$port" pure-ftpd $(cat "$work/options") -S ",$port" -g "$work/pid\""""


SETTINGS: Final = Settings(
    codes=CODES,
    options=frozenset({"passiveportrange", "forcepassiveip", "maxidletime", "natmode"}),
    wanted=lambda asked: wanted(asked.spec, asked.server, asked.codes),
    spelled=_spelled,
    edited=_edited,
    reloadable=lambda _need: False,
    judged_by="It has no check of its own: it is started with the new text at a spare port, and has to listen there",
    judge=_judge,
)
