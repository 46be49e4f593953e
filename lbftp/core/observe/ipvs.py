"""`ipvsadm -Sn` text -> virtual services (ipvsadm(8): -A and -a lines, in the form that -R reads)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final

from lbftp.core.observe.errors import ObserveError
from lbftp.core.spec import Family

_METHODS: Final = {"-m": "NAT", "-g": "DR", "-i": "TUN"}
_SERVICES: Final = {"-f": "fwmark", "-t": "tcp", "-u": "udp", "--sctp-service": "sctp"}
_PART: Final = "ipvsadm -Sn"


@dataclass(frozen=True, slots=True, order=True)
class Destination:
    """A real server of a service as the kernel has it; `port` 0 keeps the port that the client used.

    `upper` and `lower` are the connection thresholds, 0: none.
    """

    address: str
    port: int
    method: str
    weight: int
    upper: int = 0
    lower: int = 0


@dataclass(frozen=True, slots=True)
class Service:
    """`key` is 'fwmark 21', 'fwmark 21 v6' or 'tcp 192.0.2.80:8080'. `persistence` in seconds, 0: none.

    `granularity` is the prefix length by which clients count as one, 0: each for itself. `flags` are the scheduler's.
    """

    key: str
    scheduler: str
    persistence: int
    destinations: tuple[Destination, ...]
    granularity: int = 0
    flags: tuple[str, ...] = ()


def fwmark(mark: int, family: Family = 4) -> str:
    """The key of the service for a firewall mark."""
    return f"fwmark {mark}" + (" v6" if family == 6 else "")


def mark_of(key: str) -> int:
    """The mark of a service's key; 0 for a service of another kind."""
    kind, _, rest = key.partition(" ")
    return int(rest.split()[0]) if kind == "fwmark" else 0


def parse(text: str) -> dict[str, Service]:
    """Services by key. Raises ObserveError on any text that ipvsadm would not write."""
    found: dict[str, tuple[dict[str, str], list[Destination]]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        options = _options(words[1:])
        key = _key(options, number)
        if words[0] == "-A":
            found[key] = (options, [])
        elif words[0] == "-a" and key in found:
            found[key][1].append(_destination(options, number))
        else:
            raise ObserveError(_PART, f"line {number} is not understood: {line[:80]!r}")
    return {key: _service(key, options, servers) for key, (options, servers) in found.items()}


def _options(words: list[str]) -> dict[str, str]:
    """Option -> value, '' for those without one (-m, -g, -i, -6)."""
    options: dict[str, str] = {}
    for word, following in zip(words, [*words[1:], "-"], strict=False):
        if word.startswith("-"):
            options[word] = "" if following.startswith("-") else following
    return options


def _key(options: Mapping[str, str], number: int) -> str:
    for option, name in _SERVICES.items():
        if options.get(option):
            return f"{name} {options[option]}" + (" v6" if option == "-f" and "-6" in options else "")
    raise ObserveError(_PART, f"line {number} names no service")


def _destination(options: Mapping[str, str], number: int) -> Destination:
    address, _, port = options.get("-r", "").rpartition(":")
    method = next((name for option, name in _METHODS.items() if option in options), "")
    return Destination(
        address.removeprefix("[").removesuffix("]"),
        _number(port, number),
        method,
        _number(options.get("-w", "1"), number),
        _number(options.get("-x", "0"), number),
        _number(options.get("-y", "0"), number),
    )


def _service(key: str, options: Mapping[str, str], servers: list[Destination]) -> Service:
    persistence = _number(options["-p"], 0) if options.get("-p") else 0
    flags = options.get("-b", "")
    return Service(
        key,
        options.get("-s", "wlc"),
        persistence,
        tuple(sorted(servers)),
        _granularity(options.get("-M", "")),
        tuple(sorted(flags.split(","))) if flags else (),
    )


def _granularity(text: str) -> int:
    """`-M 255.255.255.0` or, for IPv6, `-M 64`; a whole address is the same as none."""
    if "." not in text:
        return _number(text or "0", 0) % 128
    try:
        return IPv4Network(f"0.0.0.0/{text}").prefixlen % 32
    except ValueError as error:
        raise ObserveError(_PART, f"{text[:40]!r} is not a mask") from error


def _number(text: str, number: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise ObserveError(_PART, f"line {number}: {text[:40]!r} is not a number")
    return int(text)
