"""From an address to the network that counts as one place."""

from __future__ import annotations

import ipaddress
from typing import Final

# What one customer has of IPv6: whoever has one address of it has them all (RFC 6177).
_PREFIX: Final = 64


def network_of(address: str) -> str:
    """An IPv4 address itself, an IPv6 address's /64; what is no address stays as it is, up to 64 characters."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]

    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, _PREFIX), strict=False))
