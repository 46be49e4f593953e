"""vsftpd.conf: which options have to be others, and the text with them set.

Sources: vsftpd.conf(5); standalone.c of 3.0.3: SIGHUP reads the file again over the values that it has, so what is
taken out of it, and what the socket was made with, needs a restart.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from ipaddress import IPv4Address
from typing import Final

from lbftp.core.ftp_keys.lines import Unsettable, Wanted, with_options
from lbftp.core.observe.ftpd import FtpServer
from lbftp.core.promise import data_port
from lbftp.core.render.ftpd_parts import idle_timeout, names_vip
from lbftp.core.spec import ClusterSpec

ADDRESS: Final = frozenset({"ftpd-pasv-address", "ftpd-pasv-missing", "ftpd-pasv-ipv6", "ftpd-pasv-name"})
RANGE: Final = frozenset({"ftpd-passive-range", "ftpd-passive-part"})
CODES: Final = ADDRESS | RANGE | {"ftpd-idle-timeout", "ftpd-data-port", "ftpd-passive-off", "ftpd-active-off"}

_DEFAULTS: Final = {
    "pasv_min_port": "0", "pasv_max_port": "0", "pasv_address": None, "pasv_addr_resolve": "NO", "pasv_enable": "YES",
    "port_enable": "YES", "connect_from_port_20": "NO", "ftp_data_port": "20", "idle_session_timeout": "300",
    "listen": "NO", "listen_ipv6": "NO",
}  # fmt: skip
_SOCKET: Final = frozenset({"listen", "listen_ipv6"})
_LINE: Final = re.compile(r"\s*([a-z0-9_]+)=(.*)")
_YES: Final = frozenset({"YES", "TRUE", "1"})


def wanted(spec: ClusterSpec, one: FtpServer, codes: AbstractSet[str], text: str) -> Wanted:
    """The options that findings with these codes ask for and that the text has otherwise. Raises Unsettable."""
    need: dict[str, str | None] = {}
    if codes & (RANGE | {"ftpd-passive-off"}):
        need |= {"pasv_min_port": f"{spec.passive.low:d}", "pasv_max_port": f"{spec.passive.high:d}"}
    if codes & ADDRESS:
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
    """With an IPv6 socket it cannot tell pasv_address; IPv6 is then another instance's, which is no matter of a key."""
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
    """`text` with these options. Of several lines for one option the last is the one that is set; one that must not be
    there goes with all its lines. Raises Unsettable."""
    return with_options(text, need, lambda line, option: _value(line, option) is not None, "=")


def reloadable(need: Wanted) -> bool:
    """Whether SIGHUP is enough."""
    return None not in need.values() and not _SOCKET & need.keys()


def spelled(need: Wanted) -> list[str]:
    """The lines for somebody who sets them by hand."""
    return [f"{option}={value}" if value is not None else f"no {option}" for option, value in need.items()]
