"""What a cluster is made of: ports, machines, checks, VRRP."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Final, Literal

from lbftp.core.spec.values import (
    Address,
    Family,
    Interface,
    SpecError,
    cluster_name,
    flag,
    host_name,
    integer,
    interface_name,
    kind,
    one_of,
)

# The packet scheduler modules of the Linux kernel (net/netfilter/ipvs, ipvsadm(8) -s).
SCHEDULERS: Final = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh")
# ipvsadm(8) -b: what a scheduler may be told beside its name. keepalived.conf(5) has the same words.
SCHEDULER_FLAGS: Final = {"sh": ("sh-fallback", "sh-port"), "mh": ("mh-fallback", "mh-port")}


@dataclass(frozen=True, slots=True, order=True)
class PortRange:
    """Inclusive TCP port range, `1024 <= low <= high <= 65535` (guide: "all available non-secured ports")."""

    low: int
    high: int

    def __post_init__(self) -> None:
        integer("passive_low", self.low, 1024, 65535)
        integer("passive_high", self.high, 1024, 65535)
        if self.low > self.high:
            raise SpecError("passive_high", f"the range {self.low}-{self.high} is reversed: give the lower port first")

    def __contains__(self, port: object) -> bool:
        return isinstance(port, int) and self.low <= port <= self.high

    def __str__(self) -> str:
        return f"{self.low}-{self.high}"

    def overlaps(self, other: PortRange) -> bool:
        return self.low <= other.high and other.low <= self.high

    @property
    def size(self) -> int:
        return self.high - self.low + 1


@dataclass(frozen=True, slots=True)
class RealServerSpec:
    """One FTP server behind the routers. `weight` 0 keeps it configured but gives it no new clients.

    `disabled`: it stays a member of the cluster and is in no virtual service; its weight is 0 then.

    Above `upper_threshold` connections it gets no new ones until fewer than `lower_threshold` are left (ipvsadm(8)
    -x, -y; 0: no bound).
    """

    name: str
    address: IPv4Address | None = None
    address6: IPv6Address | None = None
    weight: int = 1
    upper_threshold: int = 0
    lower_threshold: int = 0
    disabled: bool = False

    def __post_init__(self) -> None:
        host_name("real_servers", self.name)
        kind("real_servers", self.address, IPv4Address, optional=True)
        kind("real_servers", self.address6, IPv6Address, optional=True)
        if self.address is None and self.address6 is None:
            raise SpecError("real_servers", f"{self.name} has no address: give it an IPv4 or an IPv6 address")
        integer("weight", self.weight, 0, 65535)
        integer("upper_threshold", self.upper_threshold, 0, 2**31 - 1)
        integer("lower_threshold", self.lower_threshold, 0, 2**31 - 1)
        if self.lower_threshold > self.upper_threshold:
            raise SpecError("lower_threshold", f"{self.lower_threshold} is above the upper one: give a smaller number")
        flag("disabled", self.disabled)
        if self.disabled and self.weight:
            raise SpecError("disabled", f"{self.name} is out of rotation and has weight {self.weight}: give it 0")

    def at(self, family: Family) -> Address | None:
        """Its address of that IP version."""
        return self.address if family == 4 else self.address6


@dataclass(frozen=True, slots=True)
class RouterSpec:
    """One LVS router: its interfaces with its own (not floating) addresses, and its VRRP priority (RFC 5798: 1-254).

    Without NAT one interface may serve both sides.
    """

    name: str
    public_interface: str
    public_address: IPv4Interface | None
    internal_interface: str
    internal_address: IPv4Interface | None
    priority: int
    public_address6: IPv6Interface | None = None
    internal_address6: IPv6Interface | None = None

    def __post_init__(self) -> None:
        host_name("routers", self.name)
        interface_name("public_interface", self.public_interface)
        interface_name("internal_interface", self.internal_interface)
        kind("public_address", self.public_address, IPv4Interface, optional=True)
        kind("internal_address", self.internal_address, IPv4Interface, optional=True)
        kind("public_address6", self.public_address6, IPv6Interface, optional=True)
        kind("internal_address6", self.internal_address6, IPv6Interface, optional=True)
        integer("priority", self.priority, 1, 254)

    def public(self, family: Family) -> Interface | None:
        """Its own address towards the clients."""
        return self.public_address if family == 4 else self.public_address6

    def internal(self, family: Family) -> Interface | None:
        """Its own address towards the real servers."""
        return self.internal_address if family == 4 else self.internal_address6


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How keepalived tells that a real server lives: seconds between rounds, seconds for an answer, further tries.

    `kind` 'tcp' connects to the control port (TCP_CHECK); 'ftp' logs in and out (MISC_CHECK with a script of ours).
    """

    kind: Literal["tcp", "ftp"] = "tcp"
    delay_loop: int = 10
    connect_timeout: int = 3
    retry: int = 2

    def __post_init__(self) -> None:
        one_of("check", self.kind, ("tcp", "ftp"), "a kind of health check")
        integer("delay_loop", self.delay_loop, 1, 3600)
        integer("connect_timeout", self.connect_timeout, 1, 300)
        integer("retry", self.retry, 0, 100)


@dataclass(frozen=True, slots=True)
class SorryServer:
    """Gets the clients while fewer than the quorum of real servers live; `address6` serves IPv6."""

    address: IPv4Address | None = None
    address6: IPv6Address | None = None

    def __post_init__(self) -> None:
        kind("sorry_server", self.address, IPv4Address, optional=True)
        kind("sorry_server", self.address6, IPv6Address, optional=True)

    def at(self, family: Family) -> Address | None:
        return self.address if family == 4 else self.address6


@dataclass(frozen=True, slots=True)
class Vrrp:
    """How the floating addresses move (RFC 5798, keepalived.conf(5)). One group moves together.

    `group` names the pair's group; '' is a group of the cluster's own. Clusters of one group share the internal
    floating address, `internal_vrid` and everything below it; each has a `vrid` of its own for its VIP.
    `preempt_delay` is in seconds. `unicast` names the peer instead of using multicast; `track_interfaces` gives up
    if either side's link is lost; `sync_connections` sends the master's connections to the backup (lvs_sync_daemon).
    """

    vrid: int = 21
    group: str = ""
    internal_vrid: int = 21
    advert_int: int = 1
    preempt: bool = True
    preempt_delay: int = 0
    unicast: bool = False
    track_interfaces: bool = False
    sync_connections: bool = False

    def __post_init__(self) -> None:
        integer("vrid", self.vrid, 1, 255)
        integer("internal_vrid", self.internal_vrid, 1, 255)
        if self.group != "":
            cluster_name(self.group, "group")
        integer("advert_int", self.advert_int, 1, 255)
        integer("preempt_delay", self.preempt_delay, 0, 1000)
        for field in ("preempt", "unicast", "track_interfaces", "sync_connections"):
            flag(field, getattr(self, field))
