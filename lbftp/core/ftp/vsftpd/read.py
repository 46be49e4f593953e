"""vsftpd.conf -> how the server behaves (vsftpd.conf(5); measured with 3.0.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from lbftp.core.ftp.server import FtpServer, Ports
from lbftp.core.observe.errors import ObserveError
from lbftp.core.spec import FAMILIES, Family

_SETTING: Final = re.compile(r"([a-z0-9_]+)=(.*)")


def servers(config: str, files: Mapping[str, str]) -> tuple[FtpServer, ...]:
    """The one server that a process of vsftpd is. Raises ObserveError."""
    return (vsftpd(files[config]),)


def vsftpd(text: str) -> FtpServer:
    """vsftpd.conf(5): `option=value` without spaces around '=' or after, the last counts, '#' at
    the very start.

    Defaults from there: any passive port (the code: 1024-65535), active connections from any port,
    300 s, no TLS. Without listen and listen_ipv6 another program listens for it, on which IP
    version cannot be told.
    """
    options = dict(_options(text))
    yes = {name: _yes(name, options.get(name, default)) for name, default in _SWITCHES.items()}
    families, bound = _listening(options, yes)
    return FtpServer(
        "vsftpd",
        _ports(_number(options, "pasv_min_port", 0), _number(options, "pasv_max_port", 0)),
        _number(options, "idle_session_timeout", 300),
        control_port=_number(options, "listen_port", 21),
        pasv_address=_address(options, yes),
        data_port=_number(options, "ftp_data_port", 20) if yes["connect_from_port_20"] else 0,
        passive_on=yes["pasv_enable"],
        active_on=yes["port_enable"],
        tls=yes["ssl_enable"],
        implicit=yes["ssl_enable"] and yes["implicit_ssl"],
        tls_required=yes["ssl_enable"] and (yes["force_local_logins_ssl"] or yes["force_local_data_ssl"]),
        tls_reuse=yes["ssl_enable"] and yes["require_ssl_reuse"],
        certificate=options.get("rsa_cert_file") or options.get("dsa_cert_file", ""),
        families=families,
        bound=bound,
    )


def _listening(options: Mapping[str, str], yes: Mapping[str, bool]) -> tuple[tuple[Family, ...], str]:
    """The IP versions it serves, and the one address it is bound to. An IPv6 socket at '::'
    takes IPv4 as well.
    """
    if yes["listen"] and yes["listen_ipv6"]:
        raise ObserveError("vsftpd.conf", "listen=YES and listen_ipv6=YES exclude each other")
    if yes["listen_ipv6"]:
        bound = options.get("listen_address6", "")
        return ((6,), bound) if bound not in {"", "::"} else (FAMILIES, "")
    if yes["listen"]:
        bound = options.get("listen_address", "")
        return (4,), "" if bound == "0.0.0.0" else bound  # noqa: S104 - what a file says
    return FAMILIES, ""


def _address(options: Mapping[str, str], yes: Mapping[str, bool]) -> str:
    """An IPv6 socket cannot tell what pasv_address says: clients are told 0.0.0.0 (measured)."""
    told = options.get("pasv_address", "")
    return "0.0.0.0" if told and yes["listen_ipv6"] else told  # noqa: S104 - what clients are told


_SWITCHES: Final = {
    "connect_from_port_20": "NO", "pasv_enable": "YES", "port_enable": "YES", "listen": "NO", "listen_ipv6": "NO",
    "ssl_enable": "NO", "implicit_ssl": "NO", "require_ssl_reuse": "YES",
    "force_local_logins_ssl": "YES", "force_local_data_ssl": "YES",
}  # fmt: skip


def _options(text: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.startswith("#"):
            match = _SETTING.fullmatch(line.lstrip())
            if not match:
                raise ObserveError("vsftpd.conf", f"line {number} is not option=value: {line[:80]!r}")
            yield match[1], match[2]


def _yes(name: str, value: str) -> bool:
    if value.upper() not in {"YES", "TRUE", "1", "NO", "FALSE", "0"}:
        raise ObserveError("vsftpd.conf", f"{name}={value[:40]!r} is neither YES nor NO")
    return value.upper() in {"YES", "TRUE", "1"}


def _number(options: Mapping[str, str], name: str, default: int) -> int:
    """As the daemon reads it: digits up to the first other character; a leading zero means
    octal.
    """
    value = options.get(name, str(default))
    digits = re.match(r"[0-9]*", value)
    found = digits[0] if digits else ""
    if not value or len(found) > 9:
        raise ObserveError("vsftpd.conf", f"{name}={value[:40]!r} is not a number")
    if found.startswith("0"):
        octal = re.match(r"[0-7]*", found)
        return int(octal[0], 8) if octal else 0
    return int(found or 0)


def _ports(low: int, high: int) -> Ports:
    """A bound that makes no sense is passed over (the daemon's own code; the range was
    measured).
    """
    lowest = low if 1024 < low <= 65535 else 1024
    return lowest, high if lowest <= high < 65535 else 65535
