"""/proc/net/ip_vs_conn -> which real server a client's connection was given to, how many each has (ip_vs_conn.c).

A line is: protocol, client, its port, VIP, its port, real server, its port, state, seconds left; addresses and ports
are hexadecimal. IPv4 addresses are eight digits, IPv6 ones eight groups of four with colons (%pI6). A real server may
have the other IP version than the VIP (tunnels).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from lbftp.core.observe.errors import ObserveError

# Ports, and seconds up to three years: the kernel keeps nothing longer than its own u32 of jiffies.
_ADDRESS: Final = re.compile(r"[0-9A-Fa-f]{8}")
_PORT: Final = re.compile(r"[0-9A-Fa-f]{1,4}")
_SECONDS: Final = re.compile(r"[0-9]{1,8}")

PROGRAM: Final = "cat /proc/net/ip_vs_conn\n"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the table, its addresses in their usual short form. `client_port` 0 is a persistence template; the VIP
    of a mark service's template is the mark (see `mark_addresses`). `seconds` are left until it is forgotten."""

    tcp: bool
    client: str
    client_port: int
    vip: str
    port: int
    server: str
    state: str
    seconds: int


def entries(text: str) -> Iterator[Entry]:
    """All lines below the head; what is no line of the table (other protocols' words) is left out.

    Raises ObserveError for one that cannot be read.
    """
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 8:
            try:
                yield _entry(words)
            except ValueError as error:
                raise ObserveError("/proc/net/ip_vs_conn", f"not a connection: {line[:80]!r}") from error


def _entry(words: list[str]) -> Entry:
    protocol, client, client_port, vip, port, server, _, state, seconds = words[:9]
    return Entry(
        protocol == "TCP",
        address_of(client),
        _port(client_port),
        address_of(vip),
        _port(port),
        address_of(server),
        state,
        _left(seconds),
    )


def _port(word: str) -> int:
    if not _PORT.fullmatch(word):
        raise ValueError("no port")
    return int(word, 16)


def _left(word: str) -> int:
    if not _SECONDS.fullmatch(word):
        raise ValueError("no seconds")
    return int(word)


def servers(text: str) -> dict[tuple[str, int], str]:
    """(client address, client port) -> real server's address, for TCP connections; persistence templates (no client
    port) are left out."""
    return {(one.client, one.client_port): one.server for one in entries(text) if one.tcp and one.client_port}


def counts(text: str) -> dict[str, int]:
    """Real server's address -> how many TCP connections were given to it."""
    return dict(Counter(one.server for one in entries(text) if one.tcp and one.client_port))


def mark_addresses(mark: int) -> frozenset[str]:
    """What stands for the VIP in templates of a mark service, over either IP version (ip_vs_sched_persist)."""
    return frozenset({str(IPv4Address(mark)), str(IPv6Address(mark << 96))})


def address_of(text: str) -> str:
    """An address of the table in its usual short form. Raises ValueError."""
    if ":" in text:
        return str(IPv6Address(text))
    if not _ADDRESS.fullmatch(text):
        raise ValueError("neither eight digits nor an IPv6 address")
    return str(IPv4Address(int(text, 16)))
