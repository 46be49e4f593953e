"""What a cluster needs a router's packet filter to let through, one value for each rule, whatever the filter is.

IPVS takes a VIP's packets behind INPUT and sends them on through OUTPUT; answers of real servers pass FORWARD before
IPVS rewrites them (kernel: ip_vs_core.c, the hooks' priorities). With the helper IPVS tracks its connections. Without
it, IPVS takes its packets out of tracking, so answers are never ESTABLISHED and are told by their ports alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from lbftp.core.promise import data_ports, marked_data_ports
from lbftp.core.spec import ClusterSpec, Family, RouterSpec, Side
from lbftp.core.spec.values import Interface

Place = Literal["INPUT", "FORWARD", "OUTPUT"]

# IANA: VRRP's protocol number; ip_vs_sync.c: the port of IPVS's connection synchronisation.
VRRP: Final = "112"
SYNC_PORT: Final = "8848"
# RFC 4291: VRRP over IPv6 comes from the sender's link-local address (RFC 5798, 5.1.2.1).
_LINK_LOCAL: Final = "fe80::/10"


@dataclass(frozen=True, slots=True)
class Accept:
    """Packets to let through at `place`; '' or 0: any. Ports are 'PORT' or 'LOW:HIGH'.

    `established`: only answers within a connection that tracking knows.
    """

    place: Place
    family: Family
    mark: int = 0
    source: str = ""
    destination: str = ""
    inward: str = ""
    outward: str = ""
    protocol: str = ""
    sport: str = ""
    dport: str = ""
    established: bool = False


def side_of(spec: ClusterSpec, family: Family) -> Side:
    """The cluster over that IP version. Raises ValueError if it has none."""
    for side in spec.sides:
        if side.family == family:
            return side
    raise ValueError(f"{spec.name} has no IPv{family}")


def inside(spec: ClusterSpec, side: Side) -> tuple[str, ...]:
    """Where real servers are: their network, or each of them where no network is told."""
    if side.network is not None:
        return (str(side.network),)
    return tuple(str(address) for s in spec.servers(side.family) if (address := s.at(side.family)))


def tracked(spec: ClusterSpec) -> bool:
    """Whether IPVS keeps the cluster's connections in connection tracking."""
    return spec.mode == "helper" and spec.nat


def ports(spec: ClusterSpec) -> tuple[str, ...]:
    """Every port of a real server that clients connect to: log-in ports, then the passive range."""
    low, high = spec.passive.low, spec.passive.high
    return (*map(str, spec.ports), str(low) if low == high else f"{low}:{high}")


def marked_ports(spec: ClusterSpec) -> tuple[str, ...]:
    """Every port of the VIP whose packets carry the mark, each once."""
    *log_ins, passive = ports(spec)
    return tuple(dict.fromkeys([*log_ins, *map(str, marked_data_ports(spec)), passive]))


def accepts(spec: ClusterSpec, router: RouterSpec, family: Family) -> tuple[Accept, ...]:
    """Everything that `router` has to let through over that IP version, each once, in the order of the rules."""
    side = side_of(spec, family)
    return tuple(dict.fromkeys([*_input(spec, router, side), *_forward(spec, side), *_output(spec, router, side)]))


def _input(spec: ClusterSpec, router: RouterSpec, side: Side) -> Iterator[Accept]:
    """Clients' packets, which are marked; with the helper also their answers in active mode, which go to VIP:20 and are
    not. The answers to our health checks and the pair's VRRP come in here as well."""
    family = side.family
    yield Accept("INPUT", family, mark=spec.mark)
    if tracked(spec):
        for port in data_ports(spec):
            yield Accept("INPUT", family, destination=str(side.vip), protocol="tcp", dport=str(port), established=True)
    inward = router.internal_interface if spec.nat else ""
    for source in inside(spec, side):
        sport = str(spec.control_port)
        yield Accept("INPUT", family, 0, source, "", inward, protocol="tcp", sport=sport, established=True)
    for interface, source in _vrrp(spec, router, family):
        yield Accept("INPUT", family, source=source, inward=interface, protocol=VRRP)
    for source in _sync_sources(spec, router, family):
        yield Accept("INPUT", family, 0, source, "", router.internal_interface, protocol="udp", dport=SYNC_PORT)


def _forward(spec: ClusterSpec, side: Side) -> Iterator[Accept]:
    """With NAT: a server's own connection is a new forwarded connection; everything else is an answer."""
    if not spec.nat:
        return
    family = side.family
    for address in inside(spec, side):
        for port in map(str, data_ports(spec)):
            yield Accept("FORWARD", family, source=address, protocol="tcp", sport=port)
            yield Accept("FORWARD", family, destination=address, protocol="tcp", dport=port, established=True)
        for port in ports(spec):
            yield Accept("FORWARD", family, source=address, protocol="tcp", sport=port, established=tracked(spec))


def _output(spec: ClusterSpec, router: RouterSpec, side: Side) -> Iterator[Accept]:
    """What IPVS sends on, our health checks, and the router's own part of VRRP."""
    family = side.family
    yield Accept("OUTPUT", family, mark=spec.mark)
    for address in inside(spec, side):
        if tracked(spec):
            for port in map(str, data_ports(spec)):
                yield Accept("OUTPUT", family, destination=address, protocol="tcp", dport=port, established=True)
        yield Accept("OUTPUT", family, destination=address, protocol="tcp", dport=str(spec.control_port))
    for interface, _ in _vrrp(spec, router, family):
        yield Accept("OUTPUT", family, outward=interface, protocol=VRRP)
    if _sync_sources(spec, router, family):
        yield Accept("OUTPUT", family, outward=router.internal_interface, protocol="udp", dport=SYNC_PORT)


def _vrrp(spec: ClusterSpec, router: RouterSpec, family: Family) -> Iterator[tuple[str, str]]:
    """(interface, source) of the peers' VRRP. An instance speaks the IP version of its first address."""
    if family == (4 if spec.vip is not None else 6):
        for source in _speakers(spec, router, family, public=True):
            yield router.public_interface, source
    if spec.floating is None and spec.floating6 is None:
        return
    if family == (4 if spec.floating is not None else 6):
        for source in _speakers(spec, router, family, public=False):
            yield router.internal_interface, source


def _speakers(spec: ClusterSpec, router: RouterSpec, family: Family, *, public: bool) -> list[str]:
    def own(one: RouterSpec) -> Interface | None:
        return one.public(family) if public else one.internal(family)

    peers = [str(a.ip) for r in spec.routers if r.name != router.name and (a := own(r))]
    if family == 4 or (spec.vrrp.unicast and own(router) and peers):
        return peers
    return [_LINK_LOCAL]


def _sync_sources(spec: ClusterSpec, router: RouterSpec, family: Family) -> list[str]:
    """Who sends us IPVS's connections: over IPv4 if the cluster has it."""
    if not spec.vrrp.sync_connections or family != (4 if spec.vip is not None else 6):
        return []
    if family == 6:
        return [_LINK_LOCAL]
    return [str(a.ip) for r in spec.routers if r.name != router.name and (a := r.internal(4))]


def as_iptables(accept: Accept) -> str:
    """The rule behind `-A CHAIN`, in the order in which iptables-save prints its parts."""
    parts = (
        ("-s", accept.source), ("-d", accept.destination), ("-i", accept.inward), ("-o", accept.outward),
        ("-p", accept.protocol), ("--sport", accept.sport), ("--dport", accept.dport),
        ("-m mark --mark", f"{accept.mark:#x}" if accept.mark else ""),
        ("-m conntrack --ctstate", "ESTABLISHED" if accept.established else ""),
    )  # fmt: skip
    return " ".join([*(f"{option} {value}" for option, value in parts if value), "-j ACCEPT"])


def as_nftables(accept: Accept) -> str:
    """The rule as it stands in a chain of nftables."""
    ip = "ip6" if accept.family == 6 else "ip"
    transport = accept.protocol if accept.protocol in {"tcp", "udp"} else ""
    parts = (
        ("meta mark", f"{accept.mark:#x}" if accept.mark else ""),
        (f"{ip} saddr", accept.source), (f"{ip} daddr", accept.destination),
        ("iifname", f'"{accept.inward}"' if accept.inward else ""),
        ("oifname", f'"{accept.outward}"' if accept.outward else ""),
        ("meta l4proto", accept.protocol if not transport else ""),
        (f"{transport} sport", accept.sport.replace(":", "-")), (f"{transport} dport", accept.dport.replace(":", "-")),
        ("ct state", "established" if accept.established else ""),
    )  # fmt: skip
    return " ".join([*(f"{left} {value}" for left, value in parts if value), "accept"])
