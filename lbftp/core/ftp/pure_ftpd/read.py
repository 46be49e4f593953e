"""Pure-FTPd's options -> how the server behaves (pure-ftpd(8), pure-ftpd-wrapper(8); measured
with 1.0.50).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from lbftp.core.ftp.server import FtpServer, number, port_number, ports
from lbftp.core.observe.errors import ObserveError
from lbftp.core.spec import FAMILIES, Family

# The options on Debian, one file each.
OPTIONS: Final = "/etc/pure-ftpd/conf"
_OPTION: Final = re.compile(r"([A-Za-z0-9]+)(?:\s*:\s*|\s+)(\S.*)")


def servers(config: str, files: Mapping[str, str]) -> tuple[FtpServer, ...]:
    """The one server that a process of Pure-FTPd is. Raises ObserveError."""
    if config == OPTIONS:
        return (pure_ftpd_files(option_files(files)),)
    return (pure_ftpd(files[config]),)


def option_files(files: Mapping[str, str]) -> dict[str, str]:
    """The options by name, from the folder."""
    inside = {path.removeprefix(f"{OPTIONS}/"): text for path, text in files.items() if path.startswith(f"{OPTIONS}/")}
    return {name: text for name, text in inside.items() if "/" not in name}


def pure_ftpd(text: str) -> FtpServer:
    """pure-ftpd.conf: `Option value`, the name knows no case, the last one counts, a value takes
    no comment.
    """
    options: dict[str, str] = {}
    included = []
    for count, line in enumerate(text.split("\n"), 1):
        plain = line.strip()
        if plain.lower().startswith("!include"):
            included.append(plain[8:].strip())
        elif plain and not plain.startswith("#"):
            match = _OPTION.fullmatch(plain)
            if not match:
                raise ObserveError("pure-ftpd.conf", f"line {count} is not an option and its value: {line[:80]!r}")
            options[match[1].lower()] = match[2].strip()
    return _server(options, tuple(included))


def pure_ftpd_files(files: Mapping[str, str]) -> FtpServer:
    """Debian's form, file name -> content: the first line that is neither empty nor a comment
    (pure-ftpd-wrapper(8)).

    A name with anything but letters and digits is no option (copies that editors leave behind).
    """
    options = {}
    for name, text in files.items():
        lines = (line.strip() for line in text.split("\n"))
        value = next((line for line in lines if line and not line.startswith("#")), "")
        if value and re.fullmatch(r"[A-Za-z][A-Za-z0-9]+", name):
            options[name.lower()] = value
    return _server(options, ())


def _server(options: Mapping[str, str], included: tuple[str, ...]) -> FtpServer:
    """pure-ftpd(8): any passive port, 15 minutes (also for 0, measured), no TLS; active connections
    from port 20.

    The certificate's place is compiled in; the daemon does not start without it, and asks nobody to
    resume sessions.
    """
    minutes = number("pure-ftpd", "MaxIdleTime", options.get("maxidletime", "15"))
    passive = options.get("passiveportrange")
    tls = number("pure-ftpd", "TLS", options.get("tls", "0"))
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
        certificate=_certificate(options),
        families=_families(options, bound),
        bound="" if bound == "0.0.0.0" else bound,  # noqa: S104 - what a file says
        included=included,
    )


_CERTIFICATE: Final = "/etc/ssl/private/pure-ftpd.pem"


def _certificate(options: Mapping[str, str]) -> str:
    named = options.get("certfileandkey", "").split() or [options.get("certfile", "")]
    return named[0].strip('"') or _CERTIFICATE


def _families(options: Mapping[str, str], bound: str) -> tuple[Family, ...]:
    only = {family: _switched_on(options.get(f"ipv{family}only", "no")) for family in FAMILIES}
    if only[4] and only[6]:
        raise ObserveError("pure-ftpd", "IPV4Only and IPV6Only exclude each other")
    if bound:
        return (6,) if ":" in bound else (4,)
    return tuple(family for family in FAMILIES if not only[6 if family == 4 else 4])


def _switched_on(value: str) -> bool:
    return value.lower() in {"yes", "on", "true", "1"}


def _bind(value: str) -> tuple[str, int]:
    """Address and port of `[address],[port]` or of a port alone; a service's name other than
    `ftp` cannot be told.
    """
    address, _, port = value.rpartition(",")
    port = port.strip()
    return address.strip(), 21 if port in {"", "ftp"} else port_number("Bind", port)
