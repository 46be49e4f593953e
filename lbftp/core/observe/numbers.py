"""A router's live numbers: one small program that only reads, and the reader of its answer.

Big tables are counted on the router: of 100,000 connections one line a real server comes back. Nothing is loaded:
IPVS is asked only where the kernel already has it. Parts begin with a line `@NAME`, the last one is `@end`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from lbftp.core.observe import facts, ipvs_stats
from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.ipvs_stats import Counters
from lbftp.core.spec import ClusterSpec
from lbftp.core.spec.values import Address

_PART: Final = "numbers"
# The kernel counts connections and seconds in 32 bits.
_COUNT: Final = re.compile(r"[0-9]{1,10}")
_SECONDS: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?")
_HEX: Final = re.compile(r"[0-9A-Fa-f]{8}")


@dataclass(frozen=True, slots=True)
class Server:
    """A real server of one virtual service as IPVS counts it. `persistent`: clients that persistence holds to it;
    `total` since it was added there, so it begins anew when keepalived does."""

    weight: int
    persistent: int
    active: int
    inactive: int
    total: Counters


@dataclass(frozen=True, slots=True)
class Service:
    """One virtual service; `servers` by address, without the port."""

    total: Counters
    servers: Mapping[str, Server]


@dataclass(frozen=True, slots=True)
class Use:
    """Open connections of one VIP with one real server: to control ports, to passive ports (those that a client was
    told of and has not come to yet included), and others (active mode through the helper)."""

    sessions: int = 0
    passive: int = 0
    other: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """Clients that persistence holds to a real server, and the seconds until the last of them is free again."""

    clients: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """One router at one moment, `uptime` seconds after the boot named `boot`.

    `services` by key as in `ipvs.Service`; `used` by (VIP, real server); `held` by (mark, real server); `conntrack` is
    (entries, most), None where connection tracking is not active. Addresses have their usual short form.
    """

    uptime: float
    boot: str
    addresses: frozenset[str]
    services: Mapping[str, Service] = field(default_factory=dict)
    used: Mapping[tuple[str, str], Use] = field(default_factory=dict)
    held: Mapping[tuple[int, str], Held] = field(default_factory=dict)
    conntrack: tuple[int, int] | None = None

    def holds(self, address: Address | None) -> bool:
        return address is not None and str(address) in self.addresses


_HEAD: Final = r"""
set -u
LC_ALL=C; export LC_ALL
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
part() { printf '@%s\n' "$1"; shift; "$@" || { echo "$1 ended with $?" >&2; exit 4; }; }
part kernel cat /proc/uptime /proc/sys/kernel/random/boot_id
# The shell's own `read` takes a byte at a time, and the kernel gives a number's first byte only.
table=/proc/sys/net/netfilter/nf_conntrack
if [ -r "${table}_max" ]; then part conntrack cat "${table}_count" "${table}_max"; fi
part addresses ip -o addr show
"""
# Closing connections have no port of the server's any more; the states are those of the kernel's ip_vs_proto_tcp.c.
_COUNTING: Final = r"""
$1 == "TCP" && ($4 in low) && $8 != "TIME_WAIT" && $8 != "CLOSE" {
  kind = "other"
  if (($4, $5) in control) kind = "sessions"
  else if (($5 "") >= low[$4] && ($5 "") <= high[$4]) kind = "passive"
  if ($3 != "0000" || kind == "passive") use[kind " " $4 " " $6]++
}
$1 == "IP" && $3 == "0000" { key = $4 " " $6; held[key]++; if ($9 + 0 > left[key]) left[key] = $9 + 0 }
END {
  for (key in use) print key, use[key]
  for (key in held) print "held", key, held[key], left[key]
}
"""


def program(specs: Sequence[ClusterSpec]) -> str:
    """The program's text for a router that has `specs`. Only numbers and addresses get in, in hexadecimal."""
    known = "".join(f"  {line}\n" for spec in specs for line in _known(spec))
    return (
        f"{_HEAD}if [ -e /proc/net/ip_vs ]; then\n"
        "part servers ipvsadm -Ln --persistent-conn\n"
        "part stats ipvsadm -Ln --stats --exact\n"
        f"part connections awk 'BEGIN {{\n{known}}}{_COUNTING}' /proc/net/ip_vs_conn\n"
        "fi\necho @end\n"
    )


def _known(spec: ClusterSpec) -> Iterator[str]:
    """What awk has to know of a cluster. Ports have four digits in the table, so that text compares like numbers."""
    for side in spec.sides:
        vip = f"{int(side.vip):08X}" if side.vip.version == 4 else side.vip.exploded
        yield f'low["{vip}"] = "{spec.passive.low:04X}"; high["{vip}"] = "{spec.passive.high:04X}"'
        for port in spec.ports:
            yield f'control["{vip}", "{port:04X}"]'


def parse(text: str) -> Numbers:
    """Raises ObserveError, and nothing else, on any text."""
    parts = _parts(text)
    return Numbers(
        uptime=_uptime(parts["kernel"]),
        boot="".join(parts["kernel"][1:])[:64],
        addresses=frozenset(
            str(a.ip) for found in facts.addresses("\n".join(parts["addresses"])).values() for a in found
        ),
        services=_services(parts.get("servers", []), parts.get("stats", [])),
        used=_used(parts.get("connections", [])),
        held=_held(parts.get("connections", [])),
        conntrack=_conntrack(parts.get("conntrack", [])),
    )


def _parts(text: str) -> dict[str, list[str]]:
    parts: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("@"):
            lines = parts.setdefault(line[1:], [])
        else:
            lines.append(line)
    if missing := {"kernel", "addresses", "end"} - set(parts):
        raise ObserveError(_PART, f"the answer was cut off: {', '.join(sorted(missing))} is missing")
    return parts


def _uptime(lines: Sequence[str]) -> float:
    found = _SECONDS.match(lines[0]) if lines else None
    if not found:
        raise ObserveError(_PART, f"no uptime in {''.join(lines)[:60]!r}")
    return float(found[0])


def _conntrack(lines: Sequence[str]) -> tuple[int, int] | None:
    return (_count(lines[0]), _count(lines[1])) if len(lines) > 1 else None


def _services(servers: Sequence[str], stats: Sequence[str]) -> dict[str, Service]:
    """A server that was added or taken out between the two listings is left out this time."""
    totals = ipvs_stats.parse("\n".join(stats))
    found: dict[str, dict[str, Server]] = {}
    key = ""
    for line in servers:
        words = line.split()
        if words[:1] == ["->"] and len(words) == 6 and key in totals:
            if (total := totals[key].servers.get(words[1])) is not None:
                weight, persistent, active, inactive = map(_count, words[2:])
                found[key][_host(words[1])] = Server(weight, persistent, active, inactive, total)
        elif len(words) > 2 and words[0] in ipvs_stats.KINDS:
            key = ipvs_stats.key(words)
            found.setdefault(key, {})
    return {key: Service(totals[key].total, servers) for key, servers in found.items() if key in totals}


def _used(lines: Sequence[str]) -> dict[tuple[str, str], Use]:
    found: dict[tuple[str, str], dict[str, int]] = {}
    for line in lines:
        words = line.split()
        if len(words) == 4 and words[0] in {"sessions", "passive", "other"}:
            found.setdefault((_address(words[1]), _address(words[2])), {})[words[0]] = _count(words[3])
        elif words[:1] != ["held"]:
            raise ObserveError(_PART, f"not a count of connections: {line[:80]!r}")
    return {key: Use(**counts) for key, counts in found.items()}


def _held(lines: Sequence[str]) -> dict[tuple[int, str], Held]:
    found = {}
    for line in lines:
        words = line.split()
        if words[:1] == ["held"]:
            if len(words) != 5:
                raise ObserveError(_PART, f"not a count of held clients: {line[:80]!r}")
            found[_mark(words[1]), _address(words[2])] = Held(_count(words[3]), _count(words[4]))
    return found


def _mark(text: str) -> int:
    """A template's virtual address is the mark: as IPv4 address, or as the first 32 bits of an IPv6 one."""
    digits = text.replace(":", "")[:8]
    if not _HEX.fullmatch(digits):
        raise ObserveError(_PART, f"{text[:60]!r} is not a mark")
    return int(digits, 16)


def _address(text: str) -> str:
    try:
        if ":" in text:
            return str(IPv6Address(text))
        if _HEX.fullmatch(text):
            return str(IPv4Address(int(text, 16)))
    except ValueError:
        pass
    raise ObserveError(_PART, f"{text[:60]!r} is not an address")


def _host(text: str) -> str:
    """'10.0.50.11:0' or '[fd00:50::11]:0' without its port."""
    host = text.rpartition(":")[0].removeprefix("[").removesuffix("]")
    try:
        return str(IPv6Address(host)) if ":" in host else str(IPv4Address(host))
    except ValueError as error:
        raise ObserveError(_PART, f"{text[:60]!r} is not a real server") from error


def _count(word: str) -> int:
    word = word.strip()
    if not _COUNT.fullmatch(word):
        raise ObserveError(_PART, f"{word[:40]!r} is not a count")
    return int(word)
