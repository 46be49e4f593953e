"""Which addresses a machine may be enrolled with: none that leads back to this host, its link or a cloud's secrets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

# Where clouds give their machines' passwords to whoever asks from inside: AWS, Alibaba, Azure, Oracle, Google.
_METADATA: Final = frozenset(
    map(
        ip_address,
        ("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"),
    )
)
REMEDY: Final = (
    "Give the machine's own address on a network; if it is meant, whoever runs this site allows it with "
    "LBFTP_ENROL_NETWORKS."
)
# 127.1, 2130706433 and 0x7f.1 are addresses to getaddrinfo(3), and to nobody's eye.
_UNUSUAL: Final = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*")
# RFC 6052: the last 32 bits are an IPv4 address that a NAT64 reaches.
_NAT64: Final = IPv6Network("64:ff9b::/96")


def networks(given: str) -> tuple[str, ...]:
    """The networks in LBFTP_ENROL_NETWORKS, in one form each. Raises ValueError for what is none."""
    return tuple(str(ip_network(word.strip(), strict=False)) for word in given.split(",") if word.strip())


def is_allowed(address: str, allowed: Sequence[str]) -> bool:
    return any(ip_address(address) in ip_network(one) for one in allowed)


def blocking_reason(address: str, allowed: Sequence[str] = ()) -> str:
    """Why no machine at `address` is reached, in a sentence; '' if it may be. A name says little before it is used."""
    try:
        found = ip_address(address)
    except ValueError:
        return _of_name(address.rstrip(".").lower(), allowed)
    if is_allowed(str(found), allowed):
        return ""
    kind = _kind(_inner(found))
    return f"{address} is {kind}. {REMEDY}" if kind else ""


def _of_name(name: str, allowed: Sequence[str]) -> str:
    if (name == "localhost" or name.endswith(".localhost")) and not allowed:
        return f"{name} is this host itself. {REMEDY}"
    if _UNUSUAL.fullmatch(name):
        return f"{name} is not an address in its usual form. Write it as four numbers with dots between."
    return ""


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if not isinstance(address, IPv6Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _kind(address: IPv4Address | IPv6Address) -> str:
    kinds = (
        (address in _METADATA, "where a cloud keeps its machines' secrets"),
        (address.is_loopback, "this host itself (loopback)"),
        (address.is_unspecified or int(address) >> 24 == 0, "no address of a machine"),
        (address.is_link_local, "a link-local address, which is another machine on each link"),
        (address.is_multicast, "a multicast address"),
        (address.version == 4 and address.is_reserved, "a reserved address"),
    )
    return next((words for wrong, words in kinds if wrong), "")
