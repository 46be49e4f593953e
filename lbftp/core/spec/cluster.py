"""One FTP cluster as a value."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, Literal

from lbftp.core.spec.parts import (
    SCHEDULER_FLAGS,
    SCHEDULERS,
    HealthCheck,
    PortRange,
    RealServerSpec,
    RouterSpec,
    SorryServer,
    Vrrp,
)
from lbftp.core.spec.values import (
    Address,
    Family,
    Network,
    SpecError,
    canonical,
    cluster_name,
    flag,
    integer,
    kind,
    one_of,
    plain,
    unique,
)

Mode = Literal["helper", "advertise"]
Forwarding = Literal["NAT", "DR", "TUN"]
Active = Literal["masquerade", "snat", "none"]
MODES: Final = ("helper", "advertise")
FORWARDINGS: Final = ("NAT", "DR", "TUN")
ACTIVES: Final = ("masquerade", "snat", "none")

_ADDRESSES: Final = {
    "vip": IPv4Address, "floating": IPv4Address, "internal_network": IPv4Network,
    "vip6": IPv6Address, "floating6": IPv6Address, "internal_network6": IPv6Network,
}  # fmt: skip
_MAX_CONTROL_PORTS: Final = 8


@dataclass(frozen=True, slots=True)
class Side:
    """A cluster over one IP version: the VIP, and with NAT the real servers' default route and network."""

    family: Family
    vip: Address
    floating: Address | None
    network: Network | None


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """One FTP cluster behind a pair of LVS routers. The defaults are the guide's: NAT, the helper, IPv4.

    `vip` is the public floating address, `floating` the internal one that real servers use as their default route
    with NAT; both move together. `vip6`, `floating6`, `internal_network6` are the same over IPv6; a cluster has one
    IP version or both.

    `mode` 'helper': ip_vs_ftp rewrites (plain FTP, NAT). 'advertise': the range is marked, clients stay with their
    server by persistence, and the server tells clients the VIP (plain and TLS). `tls`: explicit TLS (AUTH TLS, RFC
    4217) is promised on the control ports. `implicit_ports` speak TLS from the first byte (990).

    `active` says how real servers' own connections leave with NAT: 'masquerade' (the guide), 'snat' to the VIP, or
    'none'. `persistence_granularity` is the prefix length by which clients count as one. `expected_sessions` is what
    the team reckons with at a time, 0: unknown.

    Routers and real servers are held sorted by name, ports by number, so equal clusters are equal values.
    """

    name: str
    routers: tuple[RouterSpec, ...]
    real_servers: tuple[RealServerSpec, ...]
    vip: IPv4Address | None = None
    floating: IPv4Address | None = None
    internal_network: IPv4Network | None = None
    vip6: IPv6Address | None = None
    floating6: IPv6Address | None = None
    internal_network6: IPv6Network | None = None
    mode: Mode = "helper"
    forwarding: Forwarding = "NAT"
    active: Active = "masquerade"
    mark: int = 21
    control_ports: tuple[int, ...] = (21,)
    implicit_ports: tuple[int, ...] = ()
    tls: bool = False
    passive: PortRange = PortRange(10000, 20000)
    scheduler: str = "wlc"
    scheduler_flags: tuple[str, ...] = ()
    persistence_timeout: int = 360
    persistence_granularity: int = 32
    persistence_granularity6: int = 128
    quorum: int = 1
    inhibit_on_failure: bool = False
    sorry_server: SorryServer = SorryServer()
    expected_sessions: int = 0
    check: HealthCheck = HealthCheck()
    vrrp: Vrrp = Vrrp()

    def __post_init__(self) -> None:
        cluster_name(self.name)
        self._check_addresses()
        self._check_words()
        self._check_numbers()
        for field in ("routers", "real_servers"):
            object.__setattr__(self, field, tuple(sorted(getattr(self, field), key=lambda m: m.name)))
            unique(field, [m.name for m in getattr(self, field)])
        for family in (4, 6):
            unique("real_servers", [str(a) for s in self.real_servers if (a := s.at(family))])
        self._check_ports()

    def _check_addresses(self) -> None:
        for field, wanted in _ADDRESSES.items():
            kind(field, getattr(self, field), wanted, optional=True)
        if self.vip is None and self.vip6 is None:
            raise SpecError("vip", "is missing: give the address that clients connect to, IPv4 or IPv6")

    def _check_words(self) -> None:
        one_of("mode", self.mode, MODES, "a mode")
        one_of("forwarding", self.forwarding, FORWARDINGS, "a way of forwarding")
        one_of("active", self.active, ACTIVES, "a way out for active mode")
        one_of("scheduler", self.scheduler, SCHEDULERS, "a scheduler of IPVS")
        object.__setattr__(self, "scheduler_flags", tuple(sorted(self.scheduler_flags)))
        for word in self.scheduler_flags:
            known = SCHEDULER_FLAGS.get(self.scheduler, ())
            if word not in known:
                options = ", ".join(known) or "none"
                raise SpecError("scheduler_flags", f"{word!r} is no option of {self.scheduler}; it has: {options}")
        flag("tls", self.tls)
        flag("inhibit_on_failure", self.inhibit_on_failure)

    def _check_numbers(self) -> None:
        integer("mark", self.mark, 1, 0xFFFFFFFF)
        integer("persistence_timeout", self.persistence_timeout, 0, 31 * 86400)
        integer("persistence_granularity", self.persistence_granularity, 1, 32)
        integer("persistence_granularity6", self.persistence_granularity6, 1, 128)
        integer("quorum", self.quorum, 1, 2**31 - 1)
        integer("expected_sessions", self.expected_sessions, 0, 2**31 - 1)

    def _check_ports(self) -> None:
        for field in ("control_ports", "implicit_ports"):
            ports = getattr(self, field)
            for port in ports:
                integer(field, port, 1, 65535)
            object.__setattr__(self, field, tuple(sorted(ports)))
        unique("control_ports", [str(p) for p in self.control_ports + self.implicit_ports])
        if not self.ports:
            raise SpecError("control_ports", "is empty: give the port that clients connect to, usually 21")
        if len(self.ports) > _MAX_CONTROL_PORTS:
            raise SpecError("control_ports", f"there are more than {_MAX_CONTROL_PORTS}: name fewer")

    @property
    def key(self) -> str:
        """Identity: a cluster stays the same one while its values change."""
        return self.name

    @property
    def ports(self) -> tuple[int, ...]:
        """Every port that clients log in to."""
        return tuple(sorted(self.control_ports + self.implicit_ports))

    @property
    def control_port(self) -> int:
        """The port that checks and probes use: 21 if it is one of them, else the first."""
        known = self.control_ports or self.implicit_ports
        return 21 if 21 in known else known[0]

    @property
    def group(self) -> str:
        """The name of the VRRP group that the cluster's addresses move with."""
        return self.vrrp.group or self.name

    @property
    def nat(self) -> bool:
        return self.forwarding == "NAT"

    @property
    def sides(self) -> tuple[Side, ...]:
        """The cluster over each IP version it has, IPv4 first."""
        found = []
        if self.vip is not None:
            found.append(Side(4, self.vip, self.floating, self.internal_network))
        if self.vip6 is not None:
            found.append(Side(6, self.vip6, self.floating6, self.internal_network6))
        return tuple(found)

    def servers(self, family: Family) -> tuple[RealServerSpec, ...]:
        """The real servers that have an address of that IP version."""
        return tuple(s for s in self.real_servers if s.at(family) is not None)

    def in_service(self, family: Family) -> tuple[RealServerSpec, ...]:
        """Those of them that are in the virtual service, drained ones among them."""
        return tuple(s for s in self.servers(family) if not s.disabled)

    def router(self, name: str) -> RouterSpec:
        """The router called `name`. Raises KeyError."""
        for router in self.routers:
            if router.name == name:
                return router
        raise KeyError(name)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over the canonical JSON: equal specs, equal digests, in any process."""
        return hashlib.sha256(canonical(plain(asdict(self))).encode()).hexdigest()
