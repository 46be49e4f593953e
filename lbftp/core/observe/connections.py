"""/proc/net/ip_vs_conn -> which real server a client's connection was given to (kernel: ip_vs_conn.c)."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Final

from lbftp.core.observe.errors import ObserveError

PROGRAM: Final = "cat /proc/net/ip_vs_conn\n"


def servers(text: str) -> dict[tuple[str, int], str]:
    """(client address, client port) -> real server's address, for TCP connections over IPv4; templates are left out."""
    found = {}
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 6 and words[0] == "TCP" and len(words[1]) == 8 and words[2] != "0000":
            try:
                found[_address(words[1]), int(words[2], 16)] = _address(words[5])
            except ValueError as error:
                raise ObserveError("/proc/net/ip_vs_conn", f"not a connection: {line[:80]!r}") from error
    return found


def _address(text: str) -> str:
    return str(IPv4Address(int(text, 16)))
