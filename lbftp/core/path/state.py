"""What a router, the FTP servers and a client really have, as far as it decides whether FTP works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from lbftp.core.path.rules import Filter, Ports, ports_named

Mode = Literal["pasv", "epsv", "port", "eprt"]
MODES: Final[tuple[Mode, ...]] = ("pasv", "epsv", "port", "eprt")
# RFC 2428: PASV and PORT carry IPv4 addresses only.
MODES_IPV6: Final[tuple[Mode, ...]] = ("epsv", "eprt")

CONTROL: Final = 21
DATA: Final = 20
_CONTROL_PORTS: Final = Ports(CONTROL, CONTROL)
_PASSIVE: Final = Ports(10000, 20000)


@dataclass(frozen=True, slots=True)
class State:
    """One case, in the terms of the truth table. The defaults are the guide's set-up with two real servers.

    `service` 'port' is an IPVS service for VIP:control_port itself, 'none' says there is none for FTP. `real_port` 0
    keeps the port that the client used. `marked` are the VIP's ports whose packets get the service's mark; `passive` is
    the range that the servers use. `pasv_address` None: the server tells its own address; 'VIP'; or another one.
    `conntrack`: something that is not named here has turned connection tracking on. `vs_conntrack` is the sysctl.
    `source_nat` is what happens to the servers' own connections from `data_port`.
    """

    service: Literal["fwmark", "port", "none"] = "fwmark"
    mark: int = 21
    method: Literal["NAT", "DR", "TUN"] = "NAT"
    real_port: int = 0
    servers: int = 2
    persistence: bool = True
    control_port: int = CONTROL
    marked: tuple[Ports, ...] = (_CONTROL_PORTS, _PASSIVE)
    passive: Ports = _PASSIVE
    pasv_address: str | None = None
    data_port: int = DATA
    helper: bool = True
    helper_ports: tuple[int, ...] = (CONTROL,)
    helper_extended: bool = True
    source_nat: Literal["", "MASQUERADE", "SNAT"] = "MASQUERADE"
    conntrack: bool = False
    vs_conntrack: bool = False
    ip_forward: bool = True
    tls: bool = False
    ip: Literal[4, 6] = 4
    filters: tuple[Filter, ...] = ()

    @property
    def modes(self) -> tuple[Mode, ...]:
        """Those that exist over this IP version."""
        return MODES if self.ip == 4 else MODES_IPV6

    @property
    def mark_control(self) -> bool:
        return self.gets_mark(self.control_port)

    @property
    def mark_passive(self) -> bool:
        """Whether every port of the servers' range gets the mark."""
        return all(self.gets_mark(p) for p in self.edges() if p in self.passive)

    @property
    def nat(self) -> bool:
        return self.method == "NAT"

    @property
    def helper_bound(self) -> bool:
        """`ip_vs_ftp` takes part for NAT only, by the port that the client used (tcp_app_conn_bind in
        ip_vs_proto_tcp.c; truth 10)."""
        return self.helper and self.nat and self.control_port in self.helper_ports

    @property
    def conntrack_active(self) -> bool:
        """Any nat rule or conntrack match turns tracking on (truth 3), and so does a NAT service on port 21 itself
        (__ip_vs_update_dest in ip_vs_ctl.c: "FTP-NAT requires conntrack for mangling"), which a mark service is not."""
        by_service = self.service == "port" and self.control_port == CONTROL and self.nat
        matched = any(c.what == "tracked" for f in self.filters for line in f.lines for c in line.conditions)
        return self.conntrack or bool(self.source_nat) or by_service or matched

    @property
    def server_port(self) -> int:
        """Where the FTP servers listen: where the service sends clients, else the port that clients use."""
        return self.real_port or self.control_port

    def gets_mark(self, port: int) -> bool:
        return any(port in ports for ports in self.marked)

    def filter(self, chain: str) -> Filter:
        """The filter's chain; one that lets everything pass if nothing is known of it."""
        return next((f for f in self.filters if f.chain == chain), Filter(chain))

    def edges(self) -> list[int]:
        """Passive ports where marks or filter rules begin or end: what holds for these holds for the whole range."""
        named = [*self.marked]
        for found in self.filters:
            named += [*ports_named(found.lines, "dport"), *ports_named(found.lines, "sport")]
        near = {n for p in named for n in (p.low - 1, p.low, p.high, p.high + 1)}
        return sorted({self.passive.low, self.passive.high} | {n for n in near if n in self.passive})
