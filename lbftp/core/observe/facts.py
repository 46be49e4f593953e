"""Small readers: os-release, addresses, listening sockets, units, versions."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Interface

from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.observed import Platform, Unit


def os_release(text: str) -> tuple[Platform, str]:
    """(platform, pretty name) from os-release(5); a system that names neither family is read as Debian's."""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    plain = {key: value.strip().strip("\"'") for key, value in values.items()}
    family = f"{plain.get('ID', '')} {plain.get('ID_LIKE', '')}".split()
    platform: Platform = "redhat" if {"rhel", "fedora", "centos"} & set(family) else "debian"
    return platform, plain.get("PRETTY_NAME", plain.get("ID", "unknown"))


def addresses(text: str) -> dict[str, tuple[IPv4Interface, ...]]:
    """Interface -> its IPv4 addresses, from `ip -o -4 addr show`; interfaces without one are left out."""
    found: dict[str, list[IPv4Interface]] = {}
    for line in text.splitlines():
        words = line.split()
        if "inet" not in words[:-1]:
            continue
        try:
            address = IPv4Interface(words[words.index("inet") + 1])
        except ValueError as error:
            raise ObserveError("ip addr", f"not an address: {line[:80]!r}") from error
        found.setdefault(words[1].partition("@")[0], []).append(address)
    return {name: tuple(sorted(values)) for name, values in sorted(found.items())}


def listening(text: str) -> frozenset[tuple[str, int]]:
    """(address, port) of listening sockets from /proc/net/tcp (proc(5): little-endian hex, state 0A is LISTEN)."""
    found = set()
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 3 and words[3] == "0A":
            try:
                address, port = words[1].split(":")
                found.add((str(IPv4Address(bytes.fromhex(address)[::-1])), int(port, 16)))
            except ValueError as error:
                raise ObserveError("/proc/net/tcp", f"not a socket: {line[:80]!r}") from error
    return frozenset(found)


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
