"""proftpd.conf -> the servers that it makes (proftpd.conf(5), mod_core, mod_auth, mod_tls;
measured with 1.3.8).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from lbftp.core.ftp.proftpd.files import proftpd_lines
from lbftp.core.ftp.server import FtpServer, Ports, port_number, ports
from lbftp.core.observe.errors import ObserveError
from lbftp.core.spec import FAMILIES, Family

WORD: Final = re.compile(r'"((?:\\.|[^"\\])*)"|(\S+)')
BLOCK: Final = re.compile(r"<(/?)\s*([A-Za-z]+)\s*([^>]*)>?\s*")
_DURATION: Final = re.compile(r"([0-9]{1,9})([hms]?)", re.IGNORECASE)
_CLOCK: Final = re.compile(r"([0-9]{1,4}):([0-9]{1,2}):([0-9]{1,2})")
_ON: Final = frozenset({"on", "yes", "true", "1"})
_OFF: Final = frozenset({"off", "no", "false", "0"})
_CERTIFICATES: Final = ("tlsrsacertificatefile", "tlseccertificatefile", "tlsdsacertificatefile", "tlspkcs12file")


@dataclass(slots=True)
class _Scope:
    """A server's own directives: lower-case name -> words, of one name the first, but every
    TLSOptions counts.
    """

    name: str
    own: dict[str, list[str]] = field(default_factory=dict)


@dataclass(slots=True)
class _Reading:
    """Where a reader is. A block belongs to a scope, or to None if nothing in it matters here."""

    main: _Scope = field(default_factory=lambda: _Scope(""))
    common: list[_Scope] = field(default_factory=list)
    hosts: list[_Scope] = field(default_factory=list)
    blocks: list[tuple[str, _Scope | None]] = field(default_factory=list)
    included: list[str] = field(default_factory=list)

    @property
    def here(self) -> _Scope | None:
        return self.blocks[-1][1] if self.blocks else self.main


def servers(config: str, files: Mapping[str, str]) -> tuple[FtpServer, ...]:
    """All servers that a process of ProFTPD is. Raises ObserveError."""
    return proftpd("".join(line.text for line in proftpd_lines(config, files)))


def proftpd(text: str) -> tuple[FtpServer, ...]:
    """The main server, then each <VirtualHost> as it comes. Raises ObserveError.

    Names of directives know no case, and of one name the first counts, but the last <Global>. A
    server's own beats <Global>, and a virtual host inherits nothing from the main server.
    <IfModule> is read as if the module were there, <IfDefine> as if nothing were defined. Defaults:
    port 21, any passive port, 600 s, no TLS, active connections from any port (RootRevoke), IPv4
    and IPv6.
    """
    reading = _Reading()
    for number, line in _lines(text):
        if block := BLOCK.fullmatch(line):
            _enter_or_leave(reading, block, number)
        else:
            _take(reading, words(line))
    if reading.blocks:
        raise ObserveError("proftpd.conf", f"<{reading.blocks[-1][0]}> is never closed")
    common = {name: words for block in reading.common for name, words in block.own.items()}
    daemon = _Daemon(reading)
    return tuple(_server(scope, _values(common, scope.own), daemon) for scope in (reading.main, *reading.hosts))


def _values(common: Mapping[str, list[str]], own: Mapping[str, list[str]]) -> Mapping[str, list[str]]:
    """A server's own lines beat those of <Global>, but its TLSOptions are added to them
    (measured).
    """
    added = {"tlsoptions": common.get("tlsoptions", []) + own.get("tlsoptions", [])}
    return {**common, **own, **added}


class _Daemon:
    """What the main server's lines say for every server: IPv6, sockets for single addresses,
    files that were named.
    """

    def __init__(self, reading: _Reading) -> None:
        own = reading.main.own
        self.ipv6 = _first(own, "useipv6", "on").lower() not in _OFF
        self.tight = _first(own, "socketbindtight", "off").lower() in _ON
        self.included = tuple(reading.included)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments and outer space; one that ends in a backslash goes on in the next,
    unless a comment.
    """
    begun = ""
    for number, line in enumerate(text.split("\n"), 1):
        if not begun and line.lstrip().startswith("#"):
            continue
        whole = begun + line.strip()
        begun = f"{whole[:-1]} " if whole.endswith("\\") else ""
        if whole and not begun:
            yield number, whole


def _take(reading: _Reading, found: list[str]) -> None:
    if reading.here is None or not found:
        return
    name = found[0].lower()
    if name == "include":
        reading.included += found[1:2]
    if name == "tlsoptions":
        reading.here.own.setdefault(name, []).extend(found[1:])
    reading.here.own.setdefault(name, found[1:])


def _enter_or_leave(reading: _Reading, block: re.Match[str], number: int) -> None:
    end, name, argument = block[1], block[2].lower(), block[3].strip()
    if not end:
        reading.blocks.append((name, _inside(reading, name, argument)))
    elif not reading.blocks or reading.blocks.pop()[0] != name:
        raise ObserveError("proftpd.conf", f"line {number}: </{name}> closes nothing")


def _inside(reading: _Reading, name: str, argument: str) -> _Scope | None:
    """Whose directives stand in a block; nobody's in <Limit>, <Directory>, <Anonymous> and their
    like.
    """
    if reading.here is None:
        return None
    if name == "virtualhost":
        reading.hosts.append(_Scope(argument or "unnamed"))
        return reading.hosts[-1]
    if name == "global":
        reading.common.append(_Scope("Global"))
        return reading.common[-1]
    return reading.here if taken(name, argument) else None


def taken(name: str, argument: str) -> bool:
    """Whether a block only says on what its lines depend, and they are read as if it were so."""
    return argument.startswith("!") == (name == "ifdefine") if name in {"ifmodule", "ifdefine"} else False


def words(line: str) -> list[str]:
    """Words, quoted ones without their quotes; one that begins with '#' begins a comment."""
    found: list[str] = []
    for match in WORD.finditer(line):
        if match[2] is not None and match[2].startswith("#"):
            break
        found.append(match[2] if match[2] is not None else match[1])
    return found


def _server(scope: _Scope, values: Mapping[str, list[str]], daemon: _Daemon) -> FtpServer:
    port = port_number("Port", _first(values, "port", "21"))
    revoke = _first(values, "rootrevoke", "UseNonCompliantActiveTransfer").lower()
    tls = _first(values, "tlsengine", "off").lower() in _ON
    options = {word.lower() for word in values.get("tlsoptions", [])}
    families, bound = _listening(scope.name or _first(values, "defaultaddress", ""), daemon)
    return FtpServer(
        "proftpd",
        _passive(values["passiveports"]) if "passiveports" in values else None,
        _seconds(_first(values, "timeoutidle", "600")),
        name=scope.name,
        control_port=port,
        pasv_address=_first(values, "masqueradeaddress", ""),
        data_port=port - 1 if revoke in _OFF and port else 0,
        active_on=revoke not in _ON,
        tls=tls,
        implicit=tls and "useimplicitssl" in options,
        tls_required=tls and _first(values, "tlsrequired", "off").lower() not in _OFF | {"!data"},
        tls_reuse=tls and "nosessionreuserequired" not in options,
        certificate=next((_first(values, kind, "") for kind in _CERTIFICATES if kind in values), ""),
        families=families,
        bound=bound,
        included=daemon.included,
    )


def _listening(where: str, daemon: _Daemon) -> tuple[tuple[Family, ...], str]:
    """IP versions and the one address. Sockets are open to every address, and a port's only
    server takes what comes to any (measured); with SocketBindTight they are <VirtualHost>'s or
    DefaultAddress's. Names cannot be told here."""
    every: tuple[Family, ...] = FAMILIES if daemon.ipv6 else (4,)
    words = where.split() if daemon.tight else []
    kinds = {_family(word) for word in words}
    if not words or None in kinds:
        return every, ""
    return tuple(family for family in every if family in kinds), words[0] if len(words) == 1 else ""


def _family(word: str) -> Family | None:
    """Of a word that is an address; None for a wildcard, a name or anything else."""
    try:
        address = ip_address(word)
    except ValueError:
        return None
    return None if address.is_unspecified else 4 if address.version == 4 else 6


def _passive(words: list[str]) -> Ports:
    low, high = ports("PassivePorts", words)
    if low < 1024 or low == high:
        raise ObserveError("PassivePorts", f"{low} {high}: ProFTPD wants two ports from 1024 on")
    return low, high


def _first(values: Mapping[str, list[str]], name: str, default: str) -> str:
    return (values.get(name) or [default])[0]


def _seconds(value: str) -> int:
    """From `300`, `5m` or `00:05:00` (mod_core)."""
    if match := _DURATION.fullmatch(value):
        return int(match[1]) * {"h": 3600, "m": 60}.get(match[2].lower(), 1)
    if clock := _CLOCK.fullmatch(value):
        return int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3])
    raise ObserveError("proftpd.conf", f"TimeoutIdle {value[:40]!r} is not a time")
