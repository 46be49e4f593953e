"""What an FTP server's machine answered -> FtpHost. Raises ObserveError, and nothing else, on any
bytes.

Configuration files may hold passwords (ProFTPD's SQL modules). They are kept out of `repr` and stay
in the worker; what goes on from here is what `FtpServer` says, and lines of the keys that lbftp
sets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from lbftp.core.ftp.daemons import names
from lbftp.core.ftp.files import main_file, servers
from lbftp.core.ftp.server import FtpServer
from lbftp.core.observe import facts
from lbftp.core.observe.answer import files_of, unframe
from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.observed import Platform

Address = IPv4Address | IPv6Address

_PROCESS: Final = re.compile(r"(\S+) (\d+) (\S+) (\S+) (.*)")
_LISTENS: Final = re.compile(r"\S+\s+\d+\s+\d+\s+(\S+):(\d+)\s+\S+\s*(.*)")
_OWNER: Final = re.compile(r"pid=(\d+),")
_VIA: Final = re.compile(r"^default via (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Instance:
    """One running FTP daemon. `unit` is '' if nothing of systemd's started it; `config` its main
    file, for Pure-FTPd on Debian the folder of options; `ports` those it listens at; `enabled`
    what systemd says of its unit. `servers` is what its configuration comes to, empty where
    `unread` says why it cannot be told."""

    daemon: str
    unit: str
    config: str
    ports: tuple[int, ...]
    servers: tuple[FtpServer, ...] = ()
    unread: str = ""
    enabled: str = ""


@dataclass(frozen=True, slots=True)
class FtpHost:
    """An FTP server's machine. `gateways` are the default routes' next hops; `sysctls`
    'INTERFACE.KEY' -> value; `full` maps mounted folders to the percentage in use. `active` are
    the daemons whose unit is active, `listening` every TCP port that anybody listens at, `root`
    whether root looked, `reloadable` units of FTP daemons that systemd can have read their files
    again."""

    name: str
    hostname: str
    platform: Platform
    os: str
    instances: tuple[Instance, ...]
    active: frozenset[str]
    listening: frozenset[int]
    interfaces: Mapping[str, tuple[Address, ...]]
    gateways: tuple[Address, ...]
    sysctls: Mapping[str, str]
    full: Mapping[str, int]
    root: bool
    reloadable: frozenset[str] = frozenset()
    files: Mapping[str, str] = field(default_factory=dict, repr=False)

    def holds(self, address: Address) -> tuple[str, ...]:
        """The interfaces that have `address`."""
        return tuple(name for name, found in self.interfaces.items() if address in found)

    @property
    def servers(self) -> tuple[FtpServer, ...]:
        return tuple(server for instance in self.instances for server in instance.servers)


def ftp_host(name: str, answer: bytes) -> FtpHost:
    """What the machine of the real server `name` holds."""
    parts = unframe(answer)
    text = {part: content.decode("utf-8", "surrogateescape") for part, content in parts.items()}
    codes = dict(line.rsplit(" ", 1) for line in text.get("status", "").splitlines() if " " in line)
    if not {"os", "addr"} <= text.keys() or any(codes.get(part) != "0" for part in ("addr", "listening")):
        raise ObserveError("answer", "lacks addresses or sockets: ip and ss (iproute2) have to be there")
    platform, pretty = facts.os_release(text["os"])
    files = files_of(parts)
    units = dict(line.split(" ", 1) for line in text.get("units", "").splitlines() if " " in line)
    reloads = text.get("reloads", "").splitlines()
    return FtpHost(
        name=name,
        hostname=text.get("host", "").strip(),
        platform=platform,
        os=pretty,
        instances=tuple(_instances(text, files)),
        active=frozenset(unit for unit, state in units.items() if state == "active"),
        listening=frozenset(port for _, port, _ in _sockets(text.get("listening", ""))),
        interfaces={n: tuple(a.ip for a in found) for n, found in facts.addresses(text["addr"]).items()},
        gateways=tuple(_gateways(text)),
        sysctls=dict(line.split(" ", 1) for line in text.get("sysctl", "").splitlines() if " " in line),
        full=dict(_disks(text.get("disk", ""))),
        root=text.get("uid", "").strip() == "0",
        reloadable=frozenset(n for n, _, can in (x.partition(" ") for x in reloads) if can == "CanReload=yes"),
        files=files,
    )


def _sockets(listing: str) -> Iterator[tuple[str, int, frozenset[str]]]:
    """(address, port, process ids) of `ss -Htlnp`."""
    for line in listing.splitlines():
        if match := _LISTENS.match(line):
            yield match[1], int(match[2][:5]), frozenset(_OWNER.findall(match[3]))


def _instances(text: Mapping[str, str], files: Mapping[str, str]) -> Iterator[Instance]:
    sockets = list(_sockets(text.get("listening", "")))
    for line in text.get("processes", "").splitlines():
        match = _PROCESS.match(line)
        if match and match[1] in names():
            name, pid, unit, enabled, command = match.groups()
            ports = tuple(sorted({port for _, port, owners in sockets if pid in owners}))
            one = Instance(name, "" if unit == "-" else unit, "", ports, enabled="" if enabled == "-" else enabled)
            yield _read(one, command.split(), files)


def _read(one: Instance, command: Sequence[str], files: Mapping[str, str]) -> Instance:
    config = main_file(one.daemon, command, files)
    if not config:
        return replace(one, unread="its configuration file was not found")
    try:
        return replace(one, config=config, servers=servers(one.daemon, config, files))
    except ObserveError as error:
        return replace(one, config=config, unread=str(error)[:300])


def _gateways(text: Mapping[str, str]) -> Iterator[Address]:
    for part in ("route", "route6"):
        for word in _VIA.findall(text.get(part, "")):
            try:
                yield ip_address(word)
            except ValueError:
                continue


def _disks(listing: str) -> Iterator[tuple[str, int]]:
    for line in listing.splitlines()[1:]:
        words = line.split()
        if len(words) >= 6 and re.fullmatch(r"\d{1,3}%", words[4]):
            yield words[5], int(words[4][:-1])
