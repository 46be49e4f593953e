"""Kinds of FTP clients, and which of them a cluster promises to serve. Probes try these, pages compare with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from lbftp.core.spec import ClusterSpec, Family

Mode = Literal["pasv", "epsv", "port", "eprt"]
Tls = Literal["none", "explicit", "implicit"]

MODES: Final[tuple[Mode, ...]] = ("pasv", "epsv", "port", "eprt")
# RFC 2428: PASV and PORT carry IPv4 addresses only.
MODES_IPV6: Final[tuple[Mode, ...]] = ("epsv", "eprt")
PASSIVE: Final = frozenset({"pasv", "epsv"})
# What a kind of client is called: tls-pasv is explicit TLS (AUTH TLS, RFC 4217), implicit-pasv TLS from the first byte.
_WORDS: Final[dict[Tls, str]] = {"none": "plain", "explicit": "tls", "implicit": "implicit"}


@dataclass(frozen=True, slots=True)
class Client:
    """A kind of client: how it transfers, over which IP version, encrypted or not, to which port it logs in.

    `pinned`: an earlier session of its address still holds it to a real server (persistence); else it comes cold.
    """

    mode: Mode
    family: Family = 4
    tls: Tls = "none"
    port: int = 21
    pinned: bool = False

    @property
    def passive(self) -> bool:
        return self.mode in PASSIVE

    @property
    def name(self) -> str:
        """Its name on the command line and in links, such as 'plain-pasv'; IP version and port stand beside it."""
        return f"{_WORDS[self.tls]}-{self.mode}"

    def __str__(self) -> str:
        tls = {"none": "plain", "explicit": "explicit TLS", "implicit": "implicit TLS"}[self.tls]
        return f"{self.mode.upper()}, {tls}, IPv{self.family}, port {self.port}"


def modes(family: Family) -> tuple[Mode, ...]:
    """The modes that exist over an IP version."""
    return MODES if family == 4 else MODES_IPV6


def kinds(spec: ClusterSpec) -> tuple[Client, ...]:
    """Every kind of client that could come to the cluster's ports, promised or not: by IP version, TLS, port, mode."""
    doors: list[tuple[Tls, int]] = [
        *(("none", port) for port in spec.control_ports),
        *(("explicit", port) for port in spec.control_ports),
        *(("implicit", port) for port in spec.implicit_ports),
    ]
    return tuple(
        Client(mode, side.family, tls, port)
        for side in spec.sides
        for tls, port in doors
        for mode in modes(side.family)
    )


def promised(spec: ClusterSpec) -> tuple[Client, ...]:
    """The kinds that the cluster promises, in the order of `kinds`.

    'helper' carries plain FTP only (truth 6); 'advertise' plain FTP, explicit TLS with `tls`, and implicit TLS at the
    ports that are for it. Active mode is promised unless `active` is 'none'.
    """
    return tuple(client for client in kinds(spec) if client.tls in _served(spec) and _way(spec, client))


def _served(spec: ClusterSpec) -> frozenset[Tls]:
    def words() -> Iterator[Tls]:
        yield "none"
        if spec.mode == "advertise":
            yield "implicit"
            if spec.tls:
                yield "explicit"

    return frozenset(words())


def _way(spec: ClusterSpec, client: Client) -> bool:
    return client.passive or spec.active != "none"


def data_port(port: int) -> int:
    """Where a server's active connections come from: one below its control port (RFC 959, 3.2: L-1; 20 for 21, 989
    for 990). ip_vs_ftp expects it there as well (ip_vs_ftp_in prepares VIP:(port - 1))."""
    return port - 1


def data_ports(spec: ClusterSpec) -> tuple[int, ...]:
    """Every port that active connections of the cluster come from, sorted; empty if none are promised."""
    return tuple(sorted({data_port(p) for p in spec.ports if p > 1})) if spec.active != "none" else ()


def marked_data_ports(spec: ClusterSpec) -> tuple[int, ...]:
    """The VIP's ports that routers have to mark for active mode.

    With NAT none: the helper's entry, or the source NAT rule's, takes the client's answers. With direct routing and
    tunnelling the server connects from the VIP itself, past the router, and the client's answers come to the router
    untranslated: IPVS takes them to the client's server only if they carry the mark (tcp_conn_schedule accepts a
    SYN+ACK for a new connection) and persistence knows the client.
    """
    return () if spec.nat else data_ports(spec)
