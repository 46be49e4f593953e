"""FTP servers' configuration -> what it comes to: vsftpd and Pure-FTPd; ProFTPD's is in `proftpd`.

A reader takes any text, and raises ObserveError where the daemon would refuse to start or the meaning cannot be told.
Where a manual page is silent, the rule was measured (vsftpd 3.0.3, Pure-FTPd 1.0.50; tests/daemons).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from lbftp.core.observe.errors import ObserveError

Daemon = Literal["vsftpd", "proftpd", "pure-ftpd"]
Ports = tuple[int, int]

# A longer number is no port and no time; Python refuses to read thousands of digits.
_DIGITS: Final = re.compile(r"[0-9]{1,9}")
_SETTING: Final = re.compile(r"([a-z0-9_]+)=(.*)")
_OPTION: Final = re.compile(r"([A-Za-z0-9]+)(?:\s*:\s*|\s+)(\S.*)")


@dataclass(frozen=True, slots=True)
class FtpServer:
    """How one FTP server behaves; `name` tells ProFTPD's virtual hosts apart, '' is the main server.

    `passive` are the ports of passive connections, None for any that the system gives. `pasv_address` is the address or
    host name that it tells clients, '' for the one they came to. `data_port` is where active connections come from,
    0 for any port. `idle_timeout` is in seconds, 0 for never. `included` are files that were named and not read.
    """

    daemon: Daemon
    passive: Ports | None
    idle_timeout: int
    name: str = ""
    control_port: int = 21
    pasv_address: str = ""
    data_port: int = 20
    passive_on: bool = True
    active_on: bool = True
    tls: bool = False
    included: tuple[str, ...] = ()


def vsftpd(text: str) -> FtpServer:
    """vsftpd.conf(5): `option=value` without spaces around '=' or after, the last counts, '#' at the very start.

    Defaults from there: any passive port (the code: 1024-65535), active connections from any port, 300 s, no TLS.
    """
    options = dict(_vsftpd_options(text))
    yes = {name: _yes(name, options.get(name, default)) for name, default in _VSFTPD_SWITCHES.items()}
    return FtpServer(
        "vsftpd",
        _vsftpd_ports(_vsftpd_number(options, "pasv_min_port", 0), _vsftpd_number(options, "pasv_max_port", 0)),
        _vsftpd_number(options, "idle_session_timeout", 300),
        control_port=_vsftpd_number(options, "listen_port", 21),
        pasv_address=options.get("pasv_address", ""),
        data_port=_vsftpd_number(options, "ftp_data_port", 20) if yes["connect_from_port_20"] else 0,
        passive_on=yes["pasv_enable"],
        active_on=yes["port_enable"],
        tls=yes["ssl_enable"],
    )


_VSFTPD_SWITCHES: Final = {"connect_from_port_20": "NO", "pasv_enable": "YES", "port_enable": "YES", "ssl_enable": "NO"}


def _vsftpd_options(text: str) -> Iterator[tuple[str, str]]:
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


def _vsftpd_number(options: Mapping[str, str], name: str, default: int) -> int:
    """As the daemon reads it: digits up to the first other character; a leading zero means octal."""
    value = options.get(name, str(default))
    digits = re.match(r"[0-9]*", value)
    found = digits[0] if digits else ""
    if not value or len(found) > 9:
        raise ObserveError("vsftpd.conf", f"{name}={value[:40]!r} is not a number")
    if found.startswith("0"):
        octal = re.match(r"[0-7]*", found)
        return int(octal[0], 8) if octal else 0
    return int(found or 0)


def _vsftpd_ports(low: int, high: int) -> Ports:
    """A bound that makes no sense is passed over (the daemon's own code; the range was measured)."""
    lowest = low if 1024 < low <= 65535 else 1024
    return lowest, high if lowest <= high < 65535 else 65535


def pure_ftpd(text: str) -> FtpServer:
    """pure-ftpd.conf: `Option value`, the name knows no case, the last one counts, a value takes no comment."""
    options: dict[str, str] = {}
    included = []
    for number, line in enumerate(text.split("\n"), 1):
        plain = line.strip()
        if plain.lower().startswith("!include"):
            included.append(plain[8:].strip())
        elif plain and not plain.startswith("#"):
            match = _OPTION.fullmatch(plain)
            if not match:
                raise ObserveError("pure-ftpd.conf", f"line {number} is not an option and its value: {line[:80]!r}")
            options[match[1].lower()] = match[2].strip()
    return _pure_ftpd(options, tuple(included))


def pure_ftpd_files(files: Mapping[str, str]) -> FtpServer:
    """Debian's form, file name -> content: the first line that is neither empty nor a comment (pure-ftpd-wrapper(8)).

    A name with anything but letters and digits is no option (copies that editors leave behind).
    """
    options = {}
    for name, text in files.items():
        lines = (line.strip() for line in text.split("\n"))
        value = next((line for line in lines if line and not line.startswith("#")), "")
        if value and re.fullmatch(r"[A-Za-z][A-Za-z0-9]+", name):
            options[name.lower()] = value
    return _pure_ftpd(options, ())


def _pure_ftpd(options: Mapping[str, str], included: tuple[str, ...]) -> FtpServer:
    """pure-ftpd(8): any passive port, 15 minutes (also for 0, measured), no TLS; active connections from port 20."""
    minutes = _number("pure-ftpd", "MaxIdleTime", options.get("maxidletime", "15"))
    passive = options.get("passiveportrange")
    return FtpServer(
        "pure-ftpd",
        ports("PassivePortRange", passive.split()) if passive else None,
        (minutes or 15) * 60,
        control_port=_boundport_number(options.get("bind", "")),
        pasv_address=options.get("forcepassiveip", ""),
        passive_on=options.get("natmode", "no").lower() not in {"yes", "on", "true", "1"},
        tls=_number("pure-ftpd", "TLS", options.get("tls", "0")) > 0,
        included=included,
    )


def _boundport_number(value: str) -> int:
    """The port of `[address][,port]`; a service's name other than `ftp` cannot be told here."""
    _, comma, port = value.rpartition(",")
    return 21 if not comma or port.strip() in {"", "ftp"} else port_number("Bind", port.strip())


def ports(name: str, words: list[str]) -> Ports:
    """The range that an option's two words name. Raises ObserveError."""
    if len(words) != 2:
        raise ObserveError(name, f"{' '.join(words)[:40]!r} is not two ports")
    low, high = (port_number(name, word) for word in words)
    if low > high:
        raise ObserveError(name, f"{low}-{high} is reversed")
    return low, high


def port_number(name: str, value: str) -> int:
    """A port from digits; 0 is one too. Raises ObserveError."""
    port = _number(name, "port", value)
    if port > 65535:
        raise ObserveError(name, f"{port} is no port")
    return port


def _number(part: str, name: str, value: str) -> int:
    if not _DIGITS.fullmatch(value):
        raise ObserveError(part, f"{name}: {value[:40]!r} is not a number")
    return int(value)
