"""For each code of the lint, clusters for which it speaks. The guide's cluster is the start of them all."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any

from lbftp.core.spec import ClusterSpec, HealthCheck, PortRange, RealServerSpec, SorryServer
from tests.core.cases import GUIDE, R1, R2, guide

V4 = IPv4Address
V6 = IPv6Address
R1_DUAL = replace(
    R1, public_address6=IPv6Interface("2001:db8:1::2/64"), internal_address6=IPv6Interface("fd00:50::2/64")
)
R2_DUAL = replace(
    R2, public_address6=IPv6Interface("2001:db8:1::3/64"), internal_address6=IPv6Interface("fd00:50::3/64")
)
FTP1, FTP2 = (replace(s, address6=V6(f"fd00:50::1{n}")) for n, s in enumerate(GUIDE.real_servers, 1))


def dual(**changes: Any) -> ClusterSpec:
    """The guide's cluster over IPv4 and IPv6."""
    both: dict[str, Any] = {
        "routers": (R1_DUAL, R2_DUAL),
        "real_servers": (FTP1, FTP2),
        "vip6": V6("2001:db8:1::100"),
        "floating6": V6("fd00:50::1"),
        "internal_network6": IPv6Network("fd00:50::/64"),
    }
    return guide(**{**both, **changes})


def advertise(**changes: Any) -> ClusterSpec:
    """NAT, and the servers name the VIP: plain and TLS."""
    return guide(**{"mode": "advertise", "active": "snat", "tls": True, "passive": PortRange(10000, 11000), **changes})


def direct(forwarding: str = "DR", **changes: Any) -> ClusterSpec:
    """Direct routing or tunnelling."""
    way = {"mode": "advertise", "forwarding": forwarding, "active": "none", "floating": None, "internal_network": None}
    return guide(**{**way, **changes})


def servers(*changes: dict[str, Any]) -> tuple[RealServerSpec, ...]:
    """Servers ftp1, ftp2 … of the guide's network, one for each of `changes`."""
    return tuple(RealServerSpec(f"ftp{n}", **{"address": V4(f"10.0.50.1{n}"), **c}) for n, c in enumerate(changes, 1))


def second(**changes: Any) -> ClusterSpec:
    """Another cluster on the guide's routers, which shares nothing with it that must not be shared."""
    apart: dict[str, Any] = {
        "name": "two",
        "mark": 22,
        "vip": V4("192.0.2.101"),
        "vrid": 22,
        "internal_vrid": 22,
        "floating": V4("10.0.50.4"),
        "real_servers": (RealServerSpec("ftp3", V4("10.0.50.13")), RealServerSpec("ftp4", V4("10.0.50.14"))),
    }
    return guide(**{**apart, **changes})


def joined(**changes: Any) -> ClusterSpec:
    """The second cluster in one VRRP group with the guide's: they share the internal floating address."""
    return second(**{"group": "pair", "floating": GUIDE.floating, "internal_vrid": 21, **changes})


GROUPED = guide(group="pair")
# The same routers seen the other way round: their public side is the guide's internal one.
TURNED = tuple(replace(r, public_interface="int0", internal_interface="pub0") for r in (R1, R2))
OTHER_PUBLIC = tuple(replace(r, public_interface="pub1") for r in (R1, R2))
OTHER_INTERNAL = tuple(replace(r, internal_address=IPv4Interface(f"10.0.50.{n}/24")) for n, r in ((8, R1), (9, R2)))
ONE_ARM = tuple(replace(r, internal_interface="pub0", internal_address=r.public_address) for r in (R1, R2))
ON_LINK = servers({"address": V4("192.0.2.11")}, {"address": V4("192.0.2.12")})

ALONE: list[tuple[str, ClusterSpec]] = [
    ("FTP001", guide(routers=(R1,))),
    ("FTP002", guide(routers=(R1, replace(R2, priority=150)))),
    ("FTP003", guide(real_servers=())),
    ("FTP004", guide(real_servers=GUIDE.real_servers[:1])),
    ("FTP005", guide(real_servers=servers({"weight": 0}, {"weight": 0}))),
    ("FTP005", dual(real_servers=(replace(FTP1, weight=0), replace(FTP2, address6=None)))),
    ("FTP006", guide(real_servers=(*GUIDE.real_servers, RealServerSpec("FTP1", V4("10.0.50.13"))))),
    ("FTP006", guide(real_servers=(*GUIDE.real_servers, RealServerSpec("r1", V4("10.0.50.13"))))),
    ("FTP007", guide(real_servers=servers({"weight": 0}, {}))),
    ("FTP010", guide(real_servers=(*GUIDE.real_servers, RealServerSpec("far", V4("10.9.0.1"))))),
    ("FTP010", dual(real_servers=(FTP1, replace(FTP2, address6=V6("fd00:51::12"))))),
    ("FTP011", guide(floating=V4("10.9.0.1"))),
    ("FTP011", dual(floating6=V6("fd00:51::1"))),
    ("FTP012", guide(vip=V4("198.51.100.1"))),
    ("FTP012", dual(vip6=V6("2001:db8:2::100"))),
    ("FTP013", guide(internal_network=IPv4Network("10.9.0.0/24"))),
    ("FTP014", guide(routers=(replace(R1, internal_interface="pub0"), R2))),
    ("FTP015", guide(vip=V4("192.0.2.2"))),
    ("FTP015", dual(floating6=FTP1.address6)),
    ("FTP016", guide(floating=GUIDE.vip)),
    ("FTP017", guide(floating=None)),
    ("FTP017", dual(floating6=None)),
    ("FTP018", guide(internal_network=None)),
    ("FTP018", dual(internal_network6=None)),
    ("FTP019", direct(floating=GUIDE.floating)),
    ("FTP020", guide(control_ports=(21, 12000))),
    ("FTP020", advertise(implicit_ports=(10500,))),
    ("FTP021", guide(control_ports=(21, 2121))),
    ("FTP022", guide(passive=PortRange(1024, 40000))),
    ("FTP023", guide(passive=PortRange(10000, 10049))),
    ("FTP024", guide(control_ports=(21, 990))),
    ("FTP025", advertise(control_ports=(), implicit_ports=(21,))),
    ("FTP026", guide(control_ports=(20,))),
    ("FTP026", advertise(implicit_ports=(989,))),
    ("FTP026", guide(control_ports=(2120, 2121))),
    ("FTP027", guide(control_ports=(2121,))),
    ("FTP028", guide(control_ports=(21, 80))),
    ("FTP029", guide(passive=PortRange(1024, 20000))),
    ("FTP030", guide(persistence_timeout=0)),
    ("FTP031", guide(persistence_timeout=60)),
    ("FTP032", guide(persistence_timeout=7200)),
    ("FTP033", advertise(persistence_timeout=0)),
    ("FTP034", guide(persistence_granularity=16)),
    ("FTP034", dual(persistence_granularity6=48)),
    ("FTP035", guide(persistence_timeout=0, persistence_granularity=24)),
    ("FTP036", guide(inhibit_on_failure=True)),
    ("FTP037", guide(real_servers=servers({}, {"weight": 0}))),
    ("FTP050", dual(real_servers=(FTP1, replace(FTP2, address6=None)))),
    ("FTP051", dual(real_servers=GUIDE.real_servers)),
    ("FTP052", dual(routers=(R1_DUAL, replace(R2_DUAL, public_address6=None)))),
    ("FTP052", guide(routers=(R1, replace(R2, public_address=None)))),
    ("FTP053", dual(routers=(R1_DUAL, replace(R2_DUAL, internal_address6=None)))),
    ("FTP054", dual()),
    ("FTP055", dual()),
    ("FTP056", guide(floating6=V6("fd00:50::1"))),
    ("FTP056", dual(vip=None)),
    ("FTP057", guide(vip=V4("224.0.0.18"))),
    ("FTP057", guide(real_servers=(*GUIDE.real_servers, RealServerSpec("self", V4("127.0.0.1"))))),
    ("FTP057", dual(vip6=V6("fe80::100"))),
    ("FTP057", guide(sorry_server=SorryServer(V4("127.0.0.2")))),
    ("FTP058", guide(vip=V4("192.0.2.255"))),
    ("FTP058", guide(floating=V4("10.0.50.0"))),
    ("FTP058", dual(vip6=V6("2001:db8:1::"))),
    ("FTP059", guide(internal_network=IPv4Network("0.0.0.0/0"))),
    ("FTP059", guide(routers=(replace(R1, public_address=IPv4Interface("10.0.50.9/24")), R2))),
    ("FTP060", guide(scheduler="dh")),
    ("FTP060", guide(scheduler="lblcr")),
    ("FTP061", guide(scheduler="fo")),
    ("FTP062", guide(scheduler="ovf")),
    ("FTP063", guide(scheduler="sh")),
    ("FTP064", guide(scheduler="mh", scheduler_flags=("mh-port",), persistence_timeout=0)),
    ("FTP065", guide(scheduler="rr", real_servers=servers({"weight": 1}, {"weight": 2}))),
    ("FTP066", guide(scheduler="sh", real_servers=servers({}, {}, {"weight": 0}))),
    ("FTP066", guide(scheduler="mh", real_servers=servers({}, {"upper_threshold": 100}))),
    ("FTP067", guide(quorum=3)),
    ("FTP067", dual(quorum=2, real_servers=(FTP1, replace(FTP2, address6=None)))),
    ("FTP068", guide(quorum=2)),
    ("FTP069", guide(sorry_server=SorryServer(V4("10.0.50.11")))),
    ("FTP069", guide(sorry_server=SorryServer(V4("10.0.50.2")))),
    ("FTP069", guide(sorry_server=SorryServer(GUIDE.floating))),
    ("FTP070", dual(sorry_server=SorryServer(V4("10.0.50.90")))),
    ("FTP070", guide(sorry_server=SorryServer(V4("10.0.50.90"), V6("fd00:50::90")))),
    ("FTP071", guide(sorry_server=SorryServer(V4("10.9.0.90")))),
    ("FTP072", guide(quorum=2, sorry_server=SorryServer(V4("10.0.50.90")))),
    ("FTP073", guide(expected_sessions=30000)),
    ("FTP074", guide(expected_sessions=20000, real_servers=servers({"weight": 3}, {"weight": 1}))),
    ("FTP074", guide(expected_sessions=15000, scheduler="fo")),
    ("FTP075", guide(expected_sessions=150, real_servers=servers({"upper_threshold": 100}, {"upper_threshold": 100}))),
    ("FTP076", guide(real_servers=servers({"upper_threshold": 9, "lower_threshold": 9}, {"upper_threshold": 9}))),
    ("FTP077", guide(real_servers=servers({"upper_threshold": 100}, {}))),
    ("FTP078", guide(expected_sessions=15000)),
    ("FTP079", guide(control_ports=(20001,))),
    ("FTP080", guide(forwarding="DR")),
    ("FTP080", guide(forwarding="TUN")),
    ("FTP081", guide(tls=True)),
    ("FTP082", guide(implicit_ports=(990,))),
    ("FTP083", guide(active="none")),
    ("FTP084", direct(active="snat")),
    ("FTP085", advertise(active="none")),
    ("FTP086", advertise(active="masquerade")),
    ("FTP087", direct(real_servers=servers({}, {"address": V4("10.9.0.12")}))),
    ("FTP088", advertise(passive=PortRange(10000, 20000))),
    ("FTP088", advertise(tls=False, implicit_ports=(990,), passive=PortRange(10000, 20000))),
    ("FTP089", direct("TUN")),
    ("FTP090", advertise(control_ports=(), implicit_ports=(990,), check=HealthCheck("ftp"))),
    ("FTP091", guide(check=HealthCheck(delay_loop=3, connect_timeout=5))),
    ("FTP092", guide(check=HealthCheck(delay_loop=30, connect_timeout=10, retry=5))),
    ("FTP093", direct(routers=ONE_ARM, real_servers=ON_LINK, floating=V4("192.0.2.1"))),
    ("FTP094", guide(preempt=False)),
    ("FTP095", guide(preempt=False, preempt_delay=30)),
    ("FTP096", guide(unicast=True, routers=(R1, replace(R2, internal_address=None)))),
    ("FTP096", guide(unicast=True, routers=(replace(R1, public_address=None), R2))),
    ("FTP097", guide(advert_int=4)),
    ("FTP098", guide(sync_connections=True)),
    ("FTP099", guide(mark=0x4015)),
]

# (code, cluster, the other cluster on the same routers)
BESIDE: list[tuple[str, ClusterSpec, ClusterSpec]] = [
    ("FTP040", second(mark=21), GUIDE),
    ("FTP041", second(vip=GUIDE.vip), GUIDE),
    ("FTP042", second(vrid=21), GUIDE),
    ("FTP042", joined(vrid=21), GROUPED),
    ("FTP043", second(floating=GUIDE.floating), GUIDE),
    ("FTP044", joined(floating=V4("10.0.50.4")), GROUPED),
    ("FTP044", joined(internal_vrid=30), GROUPED),
    ("FTP044", joined(advert_int=2), GROUPED),
    ("FTP044", joined(preempt=False), GROUPED),
    ("FTP044", joined(preempt_delay=5), GROUPED),
    ("FTP044", joined(unicast=True), GROUPED),
    ("FTP044", joined(track_interfaces=True), GROUPED),
    ("FTP044", joined(sync_connections=True), GROUPED),
    ("FTP044", joined(routers=(replace(R1, priority=50), R2)), GROUPED),
    ("FTP044", joined(routers=(R1, replace(R2, name="r3"))), GROUPED),
    ("FTP044", joined(track_interfaces=True, routers=OTHER_PUBLIC), guide(group="pair", track_interfaces=True)),
    ("FTP044", joined(unicast=True, routers=OTHER_INTERNAL), guide(group="pair", unicast=True)),
    ("FTP045", second(internal_vrid=21), GUIDE),
    ("FTP045", second(vrid=21, routers=TURNED), GUIDE),
    ("FTP046", second(group="ftp"), GUIDE),
    ("FTP047", advertise(name="two", mark=22, vip=V4("192.0.2.101"), vrid=22, group="pair"), GROUPED),
    ("FTP048", second(control_ports=(2121, 2221, 2321)), guide(control_ports=(21, 2021, 3021, 4021, 5021, 6021))),
    ("FTP049", second(sync_connections=True), guide(sync_connections=True)),
    ("FTP200", advertise(name="two", real_servers=GUIDE.real_servers), GUIDE),
    ("FTP201", joined(real_servers=GUIDE.real_servers, passive=PortRange(30000, 31000)), GROUPED),
    ("FTP202", advertise(name="two", vip=V4("192.0.2.101")), advertise()),
    ("FTP203", second(real_servers=GUIDE.real_servers), GUIDE),
    ("FTP203", joined(forwarding="DR", mode="advertise", real_servers=GUIDE.real_servers), GROUPED),
    ("FTP203", joined(floating=None, real_servers=GUIDE.real_servers), GROUPED),
    ("FTP204", second(vip=GUIDE.vip, passive=PortRange(20000, 21000)), GUIDE),
    ("FTP205", second(vip=GUIDE.floating), GUIDE),
    ("FTP205", second(floating=GUIDE.real_servers[0].address), GUIDE),
    ("FTP205", second(real_servers=(RealServerSpec("ftp3", GUIDE.vip),)), GUIDE),
    ("FTP206", advertise(name="two", vip=V4("192.0.2.101"), active="snat"), advertise()),
]
