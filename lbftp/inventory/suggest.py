"""A first guess at which interface of a router faces whom. A person confirms it; nothing is decided here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any, Final

# RFC 1918. Python's is_private holds documentation and link-local networks as well, which do appear outside.
_PRIVATE: Final = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


def sides(interfaces: Sequence[Mapping[str, Any]], servers: Iterable[str]) -> tuple[str, str]:
    """Names of (public, internal), '' where nothing fits.

    Internal is the interface whose network holds most of `servers`, else the first private one; public the first other
    one that is not private, else simply another one.
    """
    found = {one["name"]: net for one in interfaces if (net := _network(one["addresses"]))}
    known = [IPv4Address(server) for server in servers]
    private = [name for name, net in found.items() if any(net.subnet_of(block) for block in _PRIVATE)]
    ranked = sorted(found, key=lambda name: (-_holds(found[name], known), name not in private))
    internal = next((n for n in ranked if n in private or _holds(found[n], known)), "")
    rest = sorted((n for n in found if n != internal), key=lambda name: name in private)
    return (rest[0] if rest else ""), internal


def _network(addresses: Iterable[str]) -> IPv4Network | None:
    return next((IPv4Interface(a).network for a in addresses if ":" not in a), None)


def _holds(network: IPv4Network, servers: Iterable[IPv4Address]) -> int:
    return sum(server in network for server in servers)
