"""What a router, the FTP servers and a client really have, as far as it decides whether FTP works."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from lbftp.core.path.rules import Filter, Ports, ports_named
from lbftp.core.promise import Mode, Tls, modes
from lbftp.core.spec import Family

CONTROL: Final = 21
DATA: Final = 20
_CONTROL_PORTS: Final = Ports(CONTROL, CONTROL)
_PASSIVE: Final = Ports(10000, 20000)
# Stands for whatever port the system gives a server that binds none.
_ANY_PORT: Final = 50020


@dataclass(frozen=True, slots=True)
class Redirect:
    """A rule of nat PREROUTING that gives VIP:`ports` to somebody else before IPVS sees them; `where` it stands.

    `to` 'server': a real server of the cluster, past IPVS; 'router': a socket of the router; else another machine.
    `address` is as the rule has it, '' where it names none. `port` 0 keeps the port that the client used.
    """

    ports: Ports
    where: str
    rule: str
    to: Literal["server", "router", "elsewhere"]
    address: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class Texts:
    """Where a state was read from a router: the rules as they stand there. They explain, and decide nothing."""

    marks: tuple[tuple[Ports, str], ...] = ()
    source_nat: str = ""
    tracking: str = ""

    def mark(self, port: int) -> str:
        """The rule that decides on the mark of VIP:`port`, '' if none is known."""
        return next((text for ports, text in self.marks if port in ports), "")


@dataclass(frozen=True, slots=True)
class State:
    """One case, in the terms of the truth table. The defaults are the guide's set-up with two real servers.

    Router. `service` 'port' is an IPVS service for VIP:control_port itself, 'none' says there is none for FTP.
    `real_port` 0 keeps the port that the client used. `servers` are in rotation, `draining` have weight 0, and
    `expire_quiescent` (the sysctl) takes pinned clients off those. `marked` are the VIP's ports whose packets get the
    service's mark, `redirects` rules that send them elsewhere before IPVS sees them. `conntrack`: something that is not
    named here has turned connection tracking on. `vs_conntrack` is the sysctl. `source_nat` is what happens to the
    servers' own connections from `data_port`; SNAT goes to `snat_to`. `unread` are (where, what) that could not be
    evaluated: an 'ok' then becomes 'unknown'.

    FTP servers. `passive` is their range. `pasv_address` None: they tell their own address; 'VIP'; or another one.
    `data_port` 0: active connections come from any port. `deaf` says why they do not listen where the client's packets
    arrive, `refusal` why they refuse a client of that encryption; '' if they do not.

    Client. `tls`, `ip`, `control_port`, and `pinned`: an earlier session still holds it to a real server.
    """

    service: Literal["fwmark", "port", "none"] = "fwmark"
    mark: int = 21
    method: Literal["NAT", "DR", "TUN"] = "NAT"
    real_port: int = 0
    servers: int = 2
    draining: int = 0
    expire_quiescent: bool = False
    persistence: bool = True
    control_port: int = CONTROL
    marked: tuple[Ports, ...] = (_CONTROL_PORTS, _PASSIVE)
    passive: Ports = _PASSIVE
    pasv_address: str | None = None
    data_port: int = DATA
    passive_on: bool = True
    active_on: bool = True
    deaf: str = ""
    refusal: str = ""
    helper: bool = True
    helper_ports: tuple[int, ...] = (CONTROL,)
    helper_extended: bool = True
    source_nat: Literal["", "MASQUERADE", "SNAT"] = "MASQUERADE"
    snat_to: str = "VIP"
    conntrack: bool = False
    vs_conntrack: bool = False
    ip_forward: bool = True
    tls: Tls = "none"
    ip: Family = 4
    pinned: bool = False
    filters: tuple[Filter, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    redirects: tuple[Redirect, ...] = ()
    texts: Texts = field(default=Texts(), compare=False)

    @property
    def modes(self) -> tuple[Mode, ...]:
        """Those that exist over this IP version."""
        return modes(self.ip)

    @property
    def nat(self) -> bool:
        return self.method == "NAT"

    @property
    def stays(self) -> bool:
        """Whether a pinned client keeps its server though that has weight 0 (ip_vs_check_template in ip_vs_conn.c)."""
        return self.pinned and self.persistence and self.draining > 0 and not self.expire_quiescent

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

    @property
    def from_port(self) -> int:
        """The port that an active connection comes from, or one that stands for any."""
        return self.data_port or _ANY_PORT

    def gets_mark(self, port: int) -> bool:
        return any(port in ports for ports in self.marked)

    def redirect(self, port: int) -> Redirect | None:
        """What takes packets for VIP:`port` before IPVS does; None if nothing does."""
        return next((found for found in self.redirects if port in found.ports), None)

    def filters_of(self, chain: str) -> tuple[Filter, ...]:
        """The filter chains of that place; one that lets everything pass if nothing is known of it."""
        return tuple(f for f in self.filters if f.chain == chain) or (Filter(chain),)

    def edges(self) -> list[int]:
        """Passive ports where marks or rules begin or end: what holds for these holds for the whole range."""
        named = [*self.marked, *(found.ports for found in self.redirects)]
        for found in self.filters:
            named += [*ports_named(found.lines, "dport"), *ports_named(found.lines, "sport")]
        near = {n for p in named for n in (p.low - 1, p.low, p.high, p.high + 1)}
        return sorted({self.passive.low, self.passive.high} | {n for n in near if n in self.passive})
