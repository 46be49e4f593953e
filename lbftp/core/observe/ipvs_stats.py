"""`ipvsadm -Ln --stats` and `--rate` -> counters of services and real servers (ipvsadm(8)).

With `--exact` the numbers are whole; without it large ones are cut to thousands, millions … (K, M, G, T).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from lbftp.core.observe.errors import ObserveError

_PART: Final = "ipvsadm --stats"
_UNITS: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_NUMBER: Final = re.compile(r"([0-9]{1,20})([KMGT]?)")
KINDS: Final = {"FWM": "fwmark", "TCP": "tcp", "UDP": "udp", "SCTP": "sctp"}


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals since the service was made, or with `--rate` what goes by in a second. In: from clients; out: to them."""

    connections: int
    in_packets: int
    out_packets: int
    in_bytes: int
    out_bytes: int


@dataclass(frozen=True, slots=True)
class ServiceCounters:
    """One service: `key` as in `ipvs.Service`; its real servers by 'address:port'."""

    key: str
    total: Counters
    servers: dict[str, Counters] = field(default_factory=dict)


def parse(text: str) -> dict[str, ServiceCounters]:
    """Counters by the service's key. Raises ObserveError, and nothing else, on any text."""
    found: dict[str, ServiceCounters] = {}
    last: ServiceCounters | None = None
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if len(words) < 7 or words[0] == "Prot" or words[:2] == ["->", "RemoteAddress:Port"]:
            continue
        counters = Counters(*(_number(word, number) for word in words[-5:]))
        if words[0] == "->" and last is not None:
            last.servers[words[1]] = counters
        elif words[0] in KINDS:
            last = ServiceCounters(key(words), counters)
            found[last.key] = last
    return found


def key(words: list[str]) -> str:
    """The key as in `ipvs.Service`, from the words of a service's line in a listing: at least two."""
    v6 = " v6" if words[0] == "FWM" and "IPv6" in words[2:3] else ""
    return f"{KINDS[words[0]]} {words[1]}{v6}"


def _number(word: str, line: int) -> int:
    found = _NUMBER.fullmatch(word)
    if not found or not word.isascii():
        raise ObserveError(_PART, f"line {line}: {word[:40]!r} is not a number")
    # The kernel counts in 64 bits.
    return min(int(found[1]) * _UNITS[found[2]], 2**64 - 1)
