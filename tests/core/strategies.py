"""Clusters as hypothesis makes them.

`specs()` gives any cluster that the model accepts: every field, every combination, mostly with addresses that fit each
other. `sound_specs()` gives those that could be proposed: the lint has no error for them (a test holds it to that).
Sizes are bounded (at most 2 routers when sound, 3 otherwise; at most 5 real servers), so that examples stay quick.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any, Final

from hypothesis import strategies as st

from lbftp.core.spec import (
    SCHEDULER_FLAGS,
    SCHEDULERS,
    ClusterSpec,
    HealthCheck,
    PortRange,
    RealServerSpec,
    RouterSpec,
    SorryServer,
    Vrrp,
)

Draw = Callable[[st.SearchStrategy[Any]], Any]

PUBLIC: Final = IPv4Network("192.0.2.0/24")
PUBLIC6: Final = IPv6Network("2001:db8:1::/64")
# Schedulers that spread clients of one VIP; the others are for caches or for stand-by (FTP060-FTP062).
_SPREADING: Final = ("rr", "wrr", "lc", "wlc", "sh", "sed", "nq", "mh")

cluster_names = st.from_regex(r"[a-z][a-z0-9-]{0,15}", fullmatch=True)
host_names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", fullmatch=True)
interface_names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}", fullmatch=True)
ports = st.sampled_from((21, 990, 2121, 20, 989, 22, 80)) | st.integers(1, 65535)
_flags = st.booleans()
# The helper binds for NAT only (FTP080).
_WAYS: Final = (("helper", "NAT"), ("advertise", "NAT"), ("advertise", "DR"), ("advertise", "TUN"))


@st.composite
def port_ranges(draw: Draw) -> PortRange:
    """Any passive range; the guide's, one port and all ports come up often."""
    known = st.sampled_from((PortRange(10000, 20000), PortRange(1024, 65535), PortRange(65535, 65535)))
    any_two = st.tuples(st.integers(1024, 65535), st.integers(1024, 65535))
    return draw(known | any_two.map(lambda pair: PortRange(min(pair), max(pair))))  # type: ignore[no-any-return]


@st.composite
def vrrps(draw: Draw) -> Vrrp:
    return Vrrp(
        vrid=draw(st.integers(1, 255)),
        group=draw(st.just("") | cluster_names),
        internal_vrid=draw(st.integers(1, 255)),
        advert_int=draw(st.integers(1, 3) | st.integers(1, 255)),
        preempt=draw(_flags),
        preempt_delay=draw(st.integers(0, 1000)),
        unicast=draw(_flags),
        track_interfaces=draw(_flags),
        sync_connections=draw(_flags),
    )


checks = st.builds(
    HealthCheck,
    kind=st.sampled_from(("tcp", "ftp")),
    delay_loop=st.integers(1, 3600),
    connect_timeout=st.integers(1, 300),
    retry=st.integers(0, 100),
)


@st.composite
def specs(draw: Draw) -> ClusterSpec:
    """Any cluster that the model accepts. Addresses are mostly sound ones; each may be missing, foreign or doubled."""
    has4, has6 = draw(st.sampled_from(((True, False), (False, True), (True, True))))
    scheduler = draw(st.sampled_from(SCHEDULERS))
    everything = draw(st.lists(ports, min_size=1, max_size=8, unique=True))
    plain = draw(st.integers(0, len(everything)))
    return ClusterSpec(
        name=draw(cluster_names),
        routers=_any_routers(draw),
        real_servers=_any_servers(draw),
        vip=draw(_near4(100)) if has4 else None,
        floating=draw(st.none() | _near4(1, "10.0.50.0")),
        internal_network=draw(st.none() | st.sampled_from((IPv4Network("10.0.50.0/24"), IPv4Network("0.0.0.0/0")))),
        vip6=draw(_near6(0x100)) if has6 else None,
        floating6=draw(st.none() | _near6(1, "fd00:50::")),
        internal_network6=draw(st.none() | st.sampled_from((IPv6Network("fd00:50::/64"), IPv6Network("::/0")))),
        mode=draw(st.sampled_from(("helper", "advertise"))),
        forwarding=draw(st.sampled_from(("NAT", "DR", "TUN"))),
        active=draw(st.sampled_from(("masquerade", "snat", "none"))),
        mark=draw(st.sampled_from((21, 0x4000, 0xFFFFFFFF)) | st.integers(1, 0xFFFFFFFF)),
        control_ports=tuple(everything[:plain]),
        implicit_ports=tuple(everything[plain:]),
        tls=draw(_flags),
        passive=draw(port_ranges()),
        scheduler=scheduler,
        scheduler_flags=_some_flags(draw, scheduler),
        persistence_timeout=draw(st.sampled_from((0, 360)) | st.integers(0, 31 * 86400)),
        persistence_granularity=draw(st.just(32) | st.integers(1, 32)),
        persistence_granularity6=draw(st.just(128) | st.integers(1, 128)),
        quorum=draw(st.integers(1, 6) | st.integers(1, 2**31 - 1)),
        inhibit_on_failure=draw(_flags),
        sorry_server=SorryServer(draw(st.none() | _near4(90, "10.0.50.0")), draw(st.none() | _near6(0x90))),
        expected_sessions=draw(st.just(0) | st.integers(0, 2**31 - 1)),
        check=draw(checks),
        vrrp=draw(vrrps()),
    )


def _some_flags(draw: Draw, scheduler: str) -> tuple[str, ...]:
    known = SCHEDULER_FLAGS.get(scheduler, ())
    return tuple(word for word in known if draw(_flags))


def _near4(host: int, network: str = "192.0.2.0") -> st.SearchStrategy[Any]:
    """Mostly the address that fits; now and then any address at all."""
    return st.just(IPv4Address(network) + host) | st.ip_addresses(v=4)


def _near6(host: int, network: str = "2001:db8:1::") -> st.SearchStrategy[Any]:
    return st.just(IPv6Address(network) + host) | st.ip_addresses(v=6)


def _any_routers(draw: Draw) -> tuple[RouterSpec, ...]:
    names = draw(st.lists(host_names, max_size=3, unique=True))
    return tuple(
        RouterSpec(
            name=name,
            public_interface=draw(st.just("pub0") | interface_names),
            public_address=draw(st.none() | _interface4("192.0.2", number + 2)),
            internal_interface=draw(st.sampled_from(("int0", "pub0")) | interface_names),
            internal_address=draw(st.none() | _interface4("10.0.50", number + 2)),
            priority=draw(st.integers(1, 254)),
            public_address6=draw(st.none() | _interface6("2001:db8:1::", number + 2)),
            internal_address6=draw(st.none() | _interface6("fd00:50::", number + 2)),
        )
        for number, name in enumerate(names)
    )


def _interface4(network: str, host: int) -> st.SearchStrategy[IPv4Interface]:
    any_at_all = st.tuples(st.ip_addresses(v=4), st.integers(0, 32)).map(IPv4Interface)
    return st.just(IPv4Interface(f"{network}.{host}/24")) | any_at_all


def _interface6(network: str, host: int) -> st.SearchStrategy[IPv6Interface]:
    any_at_all = st.tuples(st.ip_addresses(v=6), st.integers(0, 128)).map(IPv6Interface)
    return st.just(IPv6Interface(f"{network}{host:x}/64")) | any_at_all


def _any_servers(draw: Draw) -> tuple[RealServerSpec, ...]:
    names = draw(st.lists(host_names, max_size=5, unique=True))
    return tuple(_any_server(draw, name, number + 11) for number, name in enumerate(names))


def _any_server(draw: Draw, name: str, host: int) -> RealServerSpec:
    address, address6 = IPv4Address("10.0.50.0") + host, IPv6Address("fd00:50::") + host
    given4, given6 = draw(st.sampled_from(((True, True), (True, False), (False, True))))
    upper = draw(st.just(0) | st.integers(0, 2**31 - 1))
    return RealServerSpec(
        name,
        address if given4 else None,
        address6 if given6 else None,
        weight=draw(st.integers(0, 3) | st.integers(0, 65535)),
        upper_threshold=upper,
        lower_threshold=draw(st.integers(0, upper)),
    )


@st.composite
def sound_specs(draw: Draw) -> ClusterSpec:
    """A cluster that could be proposed as it is: the lint finds no error, at most warnings and notes."""
    has4, has6 = draw(st.sampled_from(((True, False), (False, True), (True, True))))
    mode, forwarding = draw(st.sampled_from(_WAYS))
    helper, nat = mode == "helper", forwarding == "NAT"
    control, implicit, passive = _sound_ports(draw, helper)
    scheduler = draw(st.sampled_from(_SPREADING))
    inside, inside6 = draw(st.integers(0, 255)), draw(st.integers(0, 0xFFFF))
    network, network6 = IPv4Network(f"10.7.{inside}.0/24"), IPv6Network(f"fd00:{inside6:x}::/64")
    servers = _sound_servers(draw, has4, has6, network, network6)
    weight = sum(s.weight for s in servers)
    return ClusterSpec(
        name=draw(cluster_names),
        routers=_sound_routers(draw, has4, has6, network, network6),
        real_servers=servers,
        vip=PUBLIC[draw(st.integers(100, 200))] if has4 else None,
        floating=network[1] if has4 and nat else None,
        internal_network=network if has4 and nat else None,
        vip6=PUBLIC6[draw(st.integers(100, 200))] if has6 else None,
        floating6=network6[1] if has6 and nat else None,
        internal_network6=network6 if has6 and nat else None,
        mode=mode,
        forwarding=forwarding,
        active=draw(st.sampled_from(_ways_out(helper, nat))),
        mark=draw(st.integers(1, 255) | st.integers(1, 0xFFFFFFFF)),
        control_ports=control,
        implicit_ports=implicit,
        tls=not helper and bool(control) and draw(_flags),
        passive=passive,
        scheduler=scheduler,
        scheduler_flags=_some_flags(draw, scheduler),
        persistence_timeout=draw(st.integers(300, 3600)),
        persistence_granularity=draw(st.integers(24, 32)),
        persistence_granularity6=draw(st.integers(64, 128)),
        quorum=draw(st.integers(1, weight)),
        inhibit_on_failure=draw(_flags),
        sorry_server=SorryServer(
            network[240] if has4 and draw(_flags) else None, network6[240] if has6 and draw(_flags) else None
        ),
        expected_sessions=draw(st.just(0) | st.integers(0, 100_000)),
        check=_sound_check(draw, bool(control)),
        vrrp=_sound_vrrp(draw),
    )


def _sound_ports(draw: Draw, helper: bool) -> tuple[tuple[int, ...], tuple[int, ...], PortRange]:
    """Control ports, ports with TLS from the first byte, and a passive range that covers none of them."""
    control = draw(st.sampled_from(((21,), (21,), (2121,), (21, 2121, 8021))))
    if helper:
        return control, (), draw(_wide_ranges(9000))
    control, implicit = draw(st.sampled_from(((control, ()), (control, (990,)), ((), (990,)))))
    return control, implicit, draw(_wide_ranges(9000))


def _wide_ranges(low: int) -> st.SearchStrategy[PortRange]:
    lows = st.just(10000) | st.integers(low, 60000)
    return lows.flatmap(lambda start: st.integers(start, 65535).map(lambda end: PortRange(start, end)))


def _ways_out(helper: bool, nat: bool) -> tuple[str, ...]:
    """In helper mode a nat rule has to be there: it is what turns connection tracking on (FTP083)."""
    if not nat:
        return ("none",)
    return ("masquerade", "snat") if helper else ("masquerade", "snat", "none")


def _sound_servers(
    draw: Draw, has4: bool, has6: bool, network: IPv4Network, network6: IPv6Network
) -> tuple[RealServerSpec, ...]:
    names = draw(st.lists(host_names, min_size=1, max_size=5, unique_by=str.lower))
    return tuple(
        RealServerSpec(
            f"s{name[:31]}",
            network[number + 11] if has4 else None,
            network6[number + 11] if has6 else None,
            weight=draw(st.integers(1, 5)) if number == 0 else draw(st.integers(0, 5)),
            upper_threshold=(upper := draw(st.just(0) | st.integers(10, 100_000))),
            lower_threshold=upper // 2,
        )
        for number, name in enumerate(names)
    )


def _sound_routers(
    draw: Draw, has4: bool, has6: bool, network: IPv4Network, network6: IPv6Network
) -> tuple[RouterSpec, ...]:
    high = draw(st.integers(2, 254))
    public, internal = draw(st.sampled_from((("pub0", "int0"), ("eth0", "eth1"), ("bond0.12", "ens19"))))
    return tuple(
        RouterSpec(
            name,
            public,
            IPv4Interface(f"{PUBLIC[host]}/24") if has4 else None,
            internal,
            IPv4Interface(f"{network[host]}/24") if has4 else None,
            priority,
            IPv6Interface(f"{PUBLIC6[host]}/64") if has6 else None,
            IPv6Interface(f"{network6[host]}/64") if has6 else None,
        )
        for name, host, priority in (("r1", 2, high), ("r2", 3, draw(st.integers(1, high - 1))))
    )


def _sound_check(draw: Draw, plain_port: bool) -> HealthCheck:
    delay = draw(st.integers(2, 60))
    kind: Any = draw(st.sampled_from(("tcp", "ftp"))) if plain_port else "tcp"
    return HealthCheck(kind, delay, draw(st.integers(1, delay)), draw(st.integers(0, 5)))


def _sound_vrrp(draw: Draw) -> Vrrp:
    preempt = draw(_flags)
    return Vrrp(
        vrid=draw(st.integers(1, 255)),
        group=draw(st.just("") | cluster_names),
        internal_vrid=draw(st.integers(1, 255)),
        advert_int=draw(st.integers(1, 3)),
        preempt=preempt,
        preempt_delay=draw(st.integers(0, 300)) if preempt else 0,
        unicast=draw(_flags),
        track_interfaces=draw(_flags),
        sync_connections=draw(_flags),
    )
