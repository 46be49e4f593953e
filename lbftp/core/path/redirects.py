"""Rules of nat PREROUTING that give the VIP's ports to somebody else: which, and whom to.

IPVS takes packets at LOCAL_IN (ip_vs_core.c), which is behind: what such a rule sends to another machine never comes to
it, mark or not, and that machine may be a real server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import pairwise
from typing import Final, Literal

from lbftp.core.path.rules import CLIENT_PORTS, Line, Names, Packet, Ports, about, ports_named, run
from lbftp.core.path.state import Redirect

TARGETS: Final = frozenset({"DNAT", "REDIRECT", "NETMAP"})
# The chains of a place in the order in which packets pass them, each with where it stands.
Chains = Sequence[tuple[str, Sequence[Line]]]
# ADDRESS, ADDRESS-ADDRESS, and either with a port or a range of ports; IPv6 addresses stand in brackets before a port.
_TO: Final = re.compile(
    r"(?:\[([^]-]+)[^]]*\]|([0-9]+(?:\.[0-9]+){3})(?:-[0-9.]+)?)(?::([0-9]{1,5}).*)?|([0-9]{1,5})(?:-[0-9]+)?"
)


def takes(chains: Chains, packet: Packet) -> tuple[str, Line] | None:
    """(where, the rule) of what sends `packet` elsewhere; None if nothing does.

    An ACCEPT ends one chain only: the first one that names another destination counts (nf_nat_inet_fn).
    """
    for where, lines in chains:
        _, end = run(lines, packet)
        if end is not None and end.target in TARGETS:
            return where, end
    return None


@dataclass(frozen=True, slots=True)
class Door:
    """The VIP's ports that clients use, those of them that have the mark by then, and `whose_address`."""

    ports: tuple[Ports, ...]
    marked: tuple[Ports, ...]
    mark: int
    whose: Callable[[str], str]

    def packet(self, port: int) -> Packet:
        mark = self.mark if any(port in part for part in self.marked) else 0
        return Packet("client", CLIENT_PORTS[0], "vip", port, mark=mark, inward="public")


def redirects(chains: Chains, door: Door) -> tuple[Redirect, ...]:
    """Those that take any of the door's ports."""
    concerned = [(where, about(lines, door.ports)) for where, lines in chains]
    found = []
    for part in door.ports:
        for low, following in pairwise(_edges(concerned, part, door.marked)):
            if taken := takes(concerned, door.packet(low)):
                found.append(_redirect(Ports(low, following - 1), *taken, door.whose))
    return tuple(found)


def _edges(chains: Chains, part: Ports, marked: Sequence[Ports]) -> list[int]:
    """Where rules or marks begin or end inside `part`, with its own ends (the upper one plus one)."""
    named = [*marked, *(p for _, lines in chains for p in ports_named(lines, "dport"))]
    inside = {n for p in named for n in (p.low, p.high + 1) if n in part}
    return sorted({part.low, part.high + 1} | inside)


def _redirect(ports: Ports, where: str, rule: Line, whose: Callable[[str], str]) -> Redirect:
    address, port = destination(rule.to)
    kinds: dict[str, Literal["server", "router", "elsewhere"]] = {"server": "server", "router": "router"}
    to = "router" if rule.target == "REDIRECT" else kinds.get(whose(address), "elsewhere")
    return Redirect(ports, where, rule.text, to, address, port)


def destination(text: str) -> tuple[str, int]:
    """(address, port) of what a rule names: the first of ranges; '' and 0 for what it does not name."""
    # NETMAP names networks; one of a single address is that.
    text = text.removesuffix("/32").removesuffix("/128")
    try:
        return str(ip_address(text)), 0
    except ValueError:
        found = _TO.fullmatch(text)
    if found is None:
        return text, 0
    return found[1] or found[2] or "", int(found[3] or found[4] or 0)


def whose_address(names: Names, local: Callable[[str], bool]) -> Callable[[str], str]:
    """What an address is: 'server', 'router' (the VIP and the loopback as well), or ''."""
    servers = {str(a) for a in names.addresses.get("server", ())}
    own = {str(a) for role in ("router", "vip") for a in names.addresses.get(role, ())}

    def whose(address: str) -> str:
        if address in servers:
            return "server"
        return "router" if address in own or address in {"127.0.0.1", "::1"} or local(address) else ""

    return whose
