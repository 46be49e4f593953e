"""Clusters that ask different things of a packet filter, for golden files and for the real checkers."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Interface, IPv6Network
from typing import Any

from lbftp.core.observe.iptables import Ruleset, parse
from lbftp.core.spec import ClusterSpec, Family, PortRange, RealServerSpec, RouterSpec
from tests.core.cases import R1, R2, guide


def _router(router: RouterSpec, host: int) -> RouterSpec:
    return RouterSpec(
        router.name, router.public_interface, router.public_address, router.internal_interface,
        router.internal_address, router.priority,
        IPv6Interface(f"2001:db8::{host}/64"), IPv6Interface(f"fd00:50::{host}/64"),
    )  # fmt: skip


DUAL: dict[str, Any] = {
    "vip6": IPv6Address("2001:db8::100"),
    "floating6": IPv6Address("fd00:50::1"),
    "internal_network6": IPv6Network("fd00:50::/64"),
    "routers": (_router(R1, 2), _router(R2, 3)),
    "real_servers": tuple(
        RealServerSpec(f"ftp{n}", IPv4Address(f"10.0.50.1{n}"), IPv6Address(f"fd00:50::1{n}")) for n in (1, 2)
    ),
}
SIX: dict[str, Any] = {**DUAL, "vip": None, "floating": None, "internal_network": None}
DIRECT: dict[str, Any] = {"mode": "advertise", "floating": None, "internal_network": None, "floating6": None,
                          "internal_network6": None}  # fmt: skip

CASES: dict[str, ClusterSpec] = {
    "guide": guide(),
    "dual": guide(**DUAL),
    "six": guide(**SIX),
    "six-unicast-sync": guide(**SIX, unicast=True, sync_connections=True),
    "snat": guide(**DUAL, active="snat"),
    "passive-only": guide(active="none", mode="advertise"),
    "tls": guide(mode="advertise", tls=True, implicit_ports=(990,)),
    "ports": guide(control_ports=(21, 2121, 8021), passive=PortRange(1024, 65535)),
    "one-port": guide(passive=PortRange(65535, 65535), mark=0xFFFFFFFF),
    "direct": guide(**{**DUAL, **DIRECT}, forwarding="DR"),
    "tunnel-marked": guide(**{**DUAL, **DIRECT}, forwarding="TUN", implicit_ports=(990,), sync_connections=True),
    "advertise-sync": guide(**DUAL, mode="advertise", active="snat", sync_connections=True),
}  # fmt: skip

POLICIES = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT DROP [0:0]\nCOMMIT\n"
DROPPING = parse(POLICIES)
OPEN = Ruleset()
FAMILIES: tuple[Family, ...] = (4, 6)
