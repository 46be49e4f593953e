"""A first guess at which interface of a router faces whom. A person confirms it; nothing is decided here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any, Final

from lbftp.core.spec.values import Address, Network

# RFC 1918 and RFC 4193. Python's is_private holds documentation and link-local networks as well, which do appear
# outside.
_PRIVATE: Final = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))


def sides(interfaces: Sequence[Mapping[str, Any]], servers: Iterable[str]) -> tuple[str, str]:
    """Names of (public, internal), '' where nothing fits.

    Internal is the interface whose networks hold most of `servers`, else the first private one; public the first other
    one that is not private, else simply another one.
    """
    found = {one["name"]: nets for one in interfaces if (nets := _networks(one["addresses"]))}
    known = [ip_address(server) for server in servers]
    private = [name for name, nets in found.items() if _is_private(nets[0])]
    ranked = sorted(found, key=lambda name: (-_holds(found[name], known), name not in private))
    internal = next((n for n in ranked if n in private or _holds(found[n], known)), "")
    rest = sorted((n for n in found if n != internal), key=lambda name: name in private)
    return (rest[0] if rest else ""), internal


def _networks(addresses: Iterable[str]) -> list[Network]:
    """Of an interface, IPv4 first; link-local ones say nothing."""
    found = [ip_interface(a).network for a in addresses]
    return sorted((net for net in found if not net.is_link_local), key=lambda net: net.version)


def _is_private(network: Network) -> bool:
    return any(network.network_address in block for block in _PRIVATE)


def _holds(networks: Iterable[Network], servers: Iterable[Address]) -> int:
    return sum(any(server in net for net in networks) for server in servers)
