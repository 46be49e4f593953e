"""/proc/net/ip_vs_conn -> which real server a client's connection was given to, how many each has (ip_vs_conn.c).

A line is: protocol, client, its port, VIP, its port, real server, its port, state, seconds left; addresses and ports
are hexadecimal. IPv4 addresses are eight digits, IPv6 ones eight groups of four with colons (%pI6). A real server may
have the other IP version than the VIP (tunnels).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from lbftp.core.observe.errors import ObserveError

PROGRAM: Final = "cat /proc/net/ip_vs_conn\n"


def servers(text: str) -> dict[tuple[str, int], str]:
    """(client address, client port) -> real server's address, for TCP connections; persistence templates (no client
    port) are left out. Addresses have their usual short form."""
    return {(client, port): server for client, port, server in _connections(text)}


def counts(text: str) -> dict[str, int]:
    """Real server's address -> how many TCP connections were given to it."""
    return dict(Counter(server for _, _, server in _connections(text)))


def _connections(text: str) -> Iterator[tuple[str, int, str]]:
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 6 and words[0] == "TCP" and words[2] != "0000":
            try:
                yield address_of(words[1]), int(words[2], 16), address_of(words[5])
            except ValueError as error:
                raise ObserveError("/proc/net/ip_vs_conn", f"not a connection: {line[:80]!r}") from error


def address_of(text: str) -> str:
    """An address of the table in its usual short form. Raises ValueError."""
    if ":" in text:
        return str(IPv6Address(text))
    if len(text) != 8:
        raise ValueError("neither eight digits nor an IPv6 address")
    return str(IPv4Address(int(text, 16)))
