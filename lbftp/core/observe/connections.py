"""/proc/net/ip_vs_conn -> which real server a client's connection was given to (kernel: ip_vs_conn.c).

A line is: protocol, client, its port, VIP, its port, real server, its port, state, seconds left; addresses and ports
are hexadecimal. IPv4 addresses are eight digits, IPv6 ones eight groups of four with colons (%pI6). A real server may
have the other IP version than the VIP (tunnels).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Final

from lbftp.core.observe.errors import ObserveError

PROGRAM: Final = "cat /proc/net/ip_vs_conn\n"


def servers(text: str) -> dict[tuple[str, int], str]:
    """(client address, client port) -> real server's address, for TCP connections; persistence templates (no client
    port) are left out. Addresses have their usual short form."""
    found = {}
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 6 and words[0] == "TCP" and words[2] != "0000":
            try:
                found[_address(words[1]), int(words[2], 16)] = _address(words[5])
            except ValueError as error:
                raise ObserveError("/proc/net/ip_vs_conn", f"not a connection: {line[:80]!r}") from error
    return found


def _address(text: str) -> str:
    if ":" in text:
        return str(IPv6Address(text))
    if len(text) != 8:
        raise ValueError("neither eight digits nor an IPv6 address")
    return str(IPv4Address(int(text, 16)))
