"""Small readers: os-release, addresses, listening sockets, units, versions."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_interface

from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.observed import Platform, Unit
from lbftp.core.spec.values import Interface


def os_release(text: str) -> tuple[Platform, str]:
    """(platform, pretty name) from os-release(5); a system that names neither family is read as Debian's."""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    plain = {key: value.strip().strip("\"'") for key, value in values.items()}
    family = f"{plain.get('ID', '')} {plain.get('ID_LIKE', '')}".split()
    platform: Platform = "redhat" if {"rhel", "fedora", "centos"} & set(family) else "debian"
    return platform, plain.get("PRETTY_NAME", plain.get("ID", "unknown"))


def addresses(text: str) -> dict[str, tuple[Interface, ...]]:
    """Interface -> its addresses, IPv4 first, from `ip -o addr show`; interfaces without one are left out.

    An IPv6 link-local address says nothing that a cluster could use, and is left out too.
    """
    found: dict[str, list[Interface]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) < 4 or words[2] not in {"inet", "inet6"}:
            continue
        try:
            # A point-to-point address (`inet 10.0.0.1 peer …`) has no prefix of its own.
            address = ip_interface(words[3])
        except ValueError as error:
            raise ObserveError("ip addr", f"not an address: {line[:80]!r}") from error
        if not (address.version == 6 and address.is_link_local):
            found.setdefault(words[1].partition("@")[0], []).append(address)
    return {name: tuple(sorted(values, key=lambda a: (a.version, a))) for name, values in sorted(found.items())}


def listening(text: str) -> frozenset[tuple[str, int]]:
    """(address, port) of listening sockets from /proc/net/tcp or tcp6 (proc(5): hex words in the machine's order, which
    is little-endian on every router so far; state 0A is LISTEN)."""
    found = set()
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 3 and words[3] == "0A":
            try:
                address, port = words[1].split(":")
                found.add((_socket_address(address), int(port, 16)))
            except ValueError as error:
                raise ObserveError("/proc/net/tcp", f"not a socket: {line[:80]!r}") from error
    return frozenset(found)


def _socket_address(text: str) -> str:
    raw = bytes.fromhex(text)
    words = [raw[i : i + 4][::-1] for i in range(0, len(raw), 4)]
    return str(ip_address(b"".join(words)))


def units(text: str) -> dict[str, Unit]:
    """Units by name from `systemctl show -p Id,LoadState,ActiveState,UnitFileState`, blocks parted by empty lines."""
    found = {}
    for block in text.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if name := values.get("Id"):
            exists = values.get("LoadState") not in {"not-found", "masked", None}
            found[name] = Unit(name, exists, values.get("ActiveState", ""), values.get("UnitFileState", ""))
    return found


def version(text: str) -> str:
    """The first dotted number in a program's version line, '' if there is none."""
    match = re.search(r"\d+(?:\.\d+)+", text)
    return match[0] if match else ""
