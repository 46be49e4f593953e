"""vsftpd.conf: which options have to be others, and the text with them set.

Sources: vsftpd.conf(5); standalone.c of 3.0.3: SIGHUP reads the file again over the values that it
has, so what is taken out of it, and what the socket was made with, needs a restart.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from ipaddress import IPv4Address
from typing import Final

from lbftp.core.ftp.daemon import Asked, Settings
from lbftp.core.ftp.editing import ADDRESS_CODES, RANGE_CODES, Edit, Unsettable, Wanted, with_options
from lbftp.core.ftp.parts import idle_timeout, names_vip
from lbftp.core.ftp.server import FtpServer
from lbftp.core.promise import data_port
from lbftp.core.spec import ClusterSpec

CODES: Final = (
    ADDRESS_CODES | RANGE_CODES | {"ftpd-idle-timeout", "ftpd-data-port", "ftpd-passive-off", "ftpd-active-off"}
)

_DEFAULTS: Final = {
    "pasv_min_port": "0", "pasv_max_port": "0", "pasv_address": None, "pasv_addr_resolve": "NO", "pasv_enable": "YES",
    "port_enable": "YES", "connect_from_port_20": "NO", "ftp_data_port": "20", "idle_session_timeout": "300",
    "listen": "NO", "listen_ipv6": "NO",
}  # fmt: skip
_SOCKET: Final = frozenset({"listen", "listen_ipv6"})
_LINE: Final = re.compile(r"\s*([a-z0-9_]+)=(.*)")
_YES: Final = frozenset({"YES", "TRUE", "1"})


def wanted(spec: ClusterSpec, one: FtpServer, codes: AbstractSet[str], text: str) -> Wanted:
    """The options that findings with these codes ask for and that the text has otherwise. Raises
    Unsettable.
    """
    need: dict[str, str | None] = {}
    if codes & (RANGE_CODES | {"ftpd-passive-off"}):
        need |= {"pasv_min_port": f"{spec.passive.low:d}", "pasv_max_port": f"{spec.passive.high:d}"}
    if codes & ADDRESS_CODES:
        need |= _address(spec, text)
    if "ftpd-idle-timeout" in codes:
        need["idle_session_timeout"] = f"{idle_timeout(spec):d}"
    if "ftpd-data-port" in codes:
        need |= {"connect_from_port_20": "YES", "ftp_data_port": f"{data_port(one.control_port):d}"}
    if "ftpd-passive-off" in codes:
        need["pasv_enable"] = "YES"
    if "ftpd-active-off" in codes:
        need["port_enable"] = "YES"
    return {option: value for option, value in need.items() if _now(text, option) != value}


def _address(spec: ClusterSpec, text: str) -> Wanted:
    """With an IPv6 socket it cannot tell pasv_address; IPv6 is then another instance's, which is
    no matter of a key.
    """
    if not names_vip(spec):
        return {"pasv_address": None}
    need = {"pasv_address": f"{IPv4Address(str(spec.vip))}", "pasv_addr_resolve": "NO"}
    if (_now(text, "listen_ipv6") or "").upper() not in _YES:
        return need
    if spec.vip6 is not None:
        raise Unsettable("it serves IPv4 and IPv6 with one socket, which cannot name the VIP: IPv6 needs an instance")
    return {"listen": "YES", "listen_ipv6": "NO", **need}


def _now(text: str, option: str) -> str | None:
    """What counts now: the last line's value, else vsftpd's own."""
    found = [value for line in text.split("\n") if (value := _value(line, option)) is not None]
    return found[-1] if found else _DEFAULTS[option]


def _value(line: str, option: str) -> str | None:
    match = _LINE.fullmatch(line)
    return match[2] if match and match[1] == option else None


def edited(text: str, need: Wanted) -> str:
    """`text` with these options. Of several lines for one option the last is the one that is
    set; one that must not be there goes with all its lines. Raises Unsettable."""
    return with_options(text, need, lambda line, option: _value(line, option) is not None, "=")


def reloadable(need: Wanted) -> bool:
    """Whether SIGHUP is enough."""
    return None not in need.values() and not _SOCKET & need.keys()


def spelled(need: Wanted) -> list[str]:
    """The lines for somebody who sets them by hand."""
    return [f"{option}={value}" if value is not None else f"no {option}" for option, value in need.items()]


def _edited(asked: Asked, need: Wanted) -> dict[str, str]:
    return {asked.config: edited(asked.files[asked.config], need)}


def _judge(_config: str, edits: Sequence[Edit], _whole: str) -> str:
    return f"""printf %s {shlex.quote(edits[0].after)} >"$work/new" && port=$(spare) || return 1
tried "$port" vsftpd "$work/new" -olisten_port="$port" -obackground=NO"""


SETTINGS: Final = Settings(
    codes=CODES,
    options=frozenset(_DEFAULTS),
    wanted=lambda asked: wanted(asked.spec, asked.server, asked.codes, asked.files[asked.config]),
    spelled=lambda _asked, need: spelled(need),
    edited=_edited,
    reloadable=reloadable,
    judged_by="It has no check of its own: it is started with the new file at a spare port, and has to listen there",
    judge=_judge,
)
