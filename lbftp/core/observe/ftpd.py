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
from lbftp.core.spec import FAMILIES, Family

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

    `tls`: it takes TLS, by AUTH TLS, or with `implicit` from the first byte; `tls_required`: it refuses plain sessions;
    `tls_reuse`: a data connection has to resume the control connection's TLS session. `certificate` is the file it
    takes its certificate from, '' if none is named. `families` are the IP versions that it serves, `bound` the one
    address that it listens at, '' for any.
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
    implicit: bool = False
    tls_required: bool = False
    tls_reuse: bool = False
    certificate: str = ""
    families: tuple[Family, ...] = FAMILIES
    bound: str = ""
    included: tuple[str, ...] = ()


def vsftpd(text: str) -> FtpServer:
    """vsftpd.conf(5): `option=value` without spaces around '=' or after, the last counts, '#' at the very start.

    Defaults from there: any passive port (the code: 1024-65535), active connections from any port, 300 s, no TLS.
    Without listen and listen_ipv6 another program listens for it, on which IP version cannot be told.
    """
    options = dict(_vsftpd_options(text))
    yes = {name: _yes(name, options.get(name, default)) for name, default in _VSFTPD_SWITCHES.items()}
    families, bound = _vsftpd_listening(options, yes)
    return FtpServer(
        "vsftpd",
        _vsftpd_ports(_vsftpd_number(options, "pasv_min_port", 0), _vsftpd_number(options, "pasv_max_port", 0)),
        _vsftpd_number(options, "idle_session_timeout", 300),
        control_port=_vsftpd_number(options, "listen_port", 21),
        pasv_address=_vsftpd_address(options, yes),
        data_port=_vsftpd_number(options, "ftp_data_port", 20) if yes["connect_from_port_20"] else 0,
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


def _vsftpd_listening(options: Mapping[str, str], yes: Mapping[str, bool]) -> tuple[tuple[Family, ...], str]:
    """The IP versions it serves, and the one address it is bound to. An IPv6 socket at '::' takes IPv4 as well."""
    if yes["listen"] and yes["listen_ipv6"]:
        raise ObserveError("vsftpd.conf", "listen=YES and listen_ipv6=YES exclude each other")
    if yes["listen_ipv6"]:
        bound = options.get("listen_address6", "")
        return ((6,), bound) if bound not in {"", "::"} else (FAMILIES, "")
    if yes["listen"]:
        bound = options.get("listen_address", "")
        return (4,), "" if bound == "0.0.0.0" else bound  # noqa: S104 - what a file says
    return FAMILIES, ""


def _vsftpd_address(options: Mapping[str, str], yes: Mapping[str, bool]) -> str:
    """An IPv6 socket cannot tell what pasv_address says: clients are told 0.0.0.0 (measured)."""
    told = options.get("pasv_address", "")
    return "0.0.0.0" if told and yes["listen_ipv6"] else told  # noqa: S104 - what clients are told


_VSFTPD_SWITCHES: Final = {
    "connect_from_port_20": "NO", "pasv_enable": "YES", "port_enable": "YES", "listen": "NO", "listen_ipv6": "NO",
    "ssl_enable": "NO", "implicit_ssl": "NO", "require_ssl_reuse": "YES",
    "force_local_logins_ssl": "YES", "force_local_data_ssl": "YES",
}  # fmt: skip


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
    """pure-ftpd(8): any passive port, 15 minutes (also for 0, measured), no TLS; active connections from port 20.

    The certificate's place is compiled in; the daemon does not start without it, and asks nobody to resume sessions.
    """
    minutes = _number("pure-ftpd", "MaxIdleTime", options.get("maxidletime", "15"))
    passive = options.get("passiveportrange")
    tls = _number("pure-ftpd", "TLS", options.get("tls", "0"))
    bound, port = _bind(options.get("bind", ""))
    return FtpServer(
        "pure-ftpd",
        ports("PassivePortRange", passive.split()) if passive else None,
        (minutes or 15) * 60,
        control_port=port,
        pasv_address=options.get("forcepassiveip", ""),
        passive_on=not _switched_on(options.get("natmode", "no")),
        tls=tls > 0,
        tls_required=tls > 1,
        certificate=_pure_certificate(options),
        families=_pure_families(options, bound),
        bound="" if bound == "0.0.0.0" else bound,  # noqa: S104 - what a file says
        included=included,
    )


_PURE_CERTIFICATE: Final = "/etc/ssl/private/pure-ftpd.pem"


def _pure_certificate(options: Mapping[str, str]) -> str:
    named = options.get("certfileandkey", "").split() or [options.get("certfile", "")]
    return named[0].strip('"') or _PURE_CERTIFICATE


def _pure_families(options: Mapping[str, str], bound: str) -> tuple[Family, ...]:
    only = {family: _switched_on(options.get(f"ipv{family}only", "no")) for family in FAMILIES}
    if only[4] and only[6]:
        raise ObserveError("pure-ftpd", "IPV4Only and IPV6Only exclude each other")
    if bound:
        return (6,) if ":" in bound else (4,)
    return tuple(family for family in FAMILIES if not only[6 if family == 4 else 4])


def _switched_on(value: str) -> bool:
    return value.lower() in {"yes", "on", "true", "1"}


def _bind(value: str) -> tuple[str, int]:
    """Address and port of `[address],[port]` or of a port alone; a service's name other than `ftp` cannot be told."""
    address, _, port = value.rpartition(",")
    port = port.strip()
    return address.strip(), 21 if port in {"", "ftp"} else port_number("Bind", port)


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
