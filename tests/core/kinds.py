"""Clusters of every kind that admins run, by name: each is rendered, compared and shown to the real checkers."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Address, IPv6Address, IPv6Interface, IPv6Network
from typing import Any, Final

from lbftp.core.spec import (
    SCHEDULERS,
    ClusterSpec,
    HealthCheck,
    PortRange,
    RealServerSpec,
    SorryServer,
)
from tests.core.cases import GUIDE, R1, R2, guide

V6: Final[dict[str, Any]] = {
    "vip6": IPv6Address("2001:db8:2::100"),
    "floating6": IPv6Address("fd00:50::1"),
    "internal_network6": IPv6Network("fd00:50::/64"),
    "routers": tuple(
        dataclasses.replace(
            router,
            public_address6=IPv6Interface(f"2001:db8:2::{number}/64"),
            internal_address6=IPv6Interface(f"fd00:50::{number}/64"),
        )
        for number, router in ((2, R1), (3, R2))
    ),
    "real_servers": (
        RealServerSpec("ftp1", IPv4Address("10.0.50.11"), IPv6Address("fd00:50::11")),
        RealServerSpec("ftp2", IPv4Address("10.0.50.12"), IPv6Address("fd00:50::12")),
    ),
}
_NO_V4: Final[dict[str, Any]] = {"vip": None, "floating": None, "internal_network": None}
ADVERTISE: Final[dict[str, Any]] = {"mode": "advertise"}
DIRECT: Final[dict[str, Any]] = {
    "mode": "advertise", "forwarding": "DR", "active": "none", "floating": None, "internal_network": None,
}  # fmt: skip


def _servers(**changes: Any) -> dict[str, Any]:
    return {"real_servers": tuple(dataclasses.replace(s, **changes) for s in GUIDE.real_servers)}


KINDS: Final[dict[str, ClusterSpec]] = {
    "guide": GUIDE,
    "wide": guide(passive=PortRange(1024, 65535), scheduler="rr", persistence_timeout=0),
    "narrow": guide(passive=PortRange(50000, 50000)),
    "other": guide(name="other-1", mark=4096, vrid=99, advert_int=3),
    "largest-values": guide(name="a234567890123456", mark=0xFFFFFFFF, vrid=255, internal_vrid=255, advert_int=255),
    "two-ports": guide(control_ports=(21, 2121)),
    "eight-ports": guide(control_ports=(21, 2101, 2102, 2103, 2104, 2105, 2106, 2107)),
    "other-port": guide(control_ports=(2121,)),
    "snat": guide(active="snat"),
    "no-active": guide(active="none"),
    "granularity": guide(persistence_granularity=24),
    "long-persistence": guide(persistence_timeout=3600),
    "sh-flags": guide(scheduler="sh", scheduler_flags=("sh-port", "sh-fallback"), persistence_timeout=0),
    "mh-flags": guide(scheduler="mh", scheduler_flags=("mh-port", "mh-fallback"), persistence_timeout=0),
    **{f"scheduler-{name}": guide(scheduler=name) for name in SCHEDULERS if name not in {"wlc", "sh", "mh"}},
    "weights": guide(real_servers=(
        RealServerSpec("ftp1", IPv4Address("10.0.50.11"), weight=3),
        RealServerSpec("ftp2", IPv4Address("10.0.50.12"), weight=0),
    )),
    "thresholds": guide(**_servers(upper_threshold=200, lower_threshold=150)),
    "many-servers": guide(real_servers=tuple(
        RealServerSpec(f"ftp{n}", IPv4Address(f"10.0.50.{n}")) for n in range(11, 75)
    )),
    "quorum-sorry": guide(quorum=2, sorry_server=SorryServer(IPv4Address("10.0.50.99"))),
    "inhibit": guide(inhibit_on_failure=True),
    "ftp-check": guide(check=HealthCheck("ftp", 15, 5, 1)),
    "slow-check": guide(check=HealthCheck("tcp", 60, 10, 0)),
    "nopreempt": guide(preempt=False),
    "preempt-delay": guide(preempt_delay=60),
    "unicast": guide(unicast=True),
    "tracked": guide(track_interfaces=True),
    "connection-sync": guide(sync_connections=True),
    "shared-group": guide(name="second", mark=22, vip=IPv4Address("192.0.2.101"), vrid=22, group="ftp"),
    "advertise": guide(**ADVERTISE),
    "advertise-tls": guide(**ADVERTISE, tls=True, active="snat"),
    "implicit-tls": guide(**ADVERTISE, tls=True, implicit_ports=(990,)),
    "only-implicit": guide(**ADVERTISE, control_ports=(), implicit_ports=(990,), active="none"),
    "direct": guide(**DIRECT),
    "direct-active-tls": guide(**{**DIRECT, "active": "masquerade"}, tls=True),
    "tunnel": guide(**{**DIRECT, "forwarding": "TUN"}),
    "direct-sync": guide(**DIRECT, sync_connections=True, unicast=True),
    "dual": guide(**V6),
    "dual-everything": guide(
        **V6, **ADVERTISE, tls=True, implicit_ports=(990,), active="snat", persistence_granularity=24,
        persistence_granularity6=64, quorum=2, check=HealthCheck("ftp"), unicast=True, track_interfaces=True,
        sync_connections=True, sorry_server=SorryServer(IPv4Address("10.0.50.99"), IPv6Address("fd00:50::99")),
    ),
    "six-only": guide(**{**V6, **_NO_V4}),
    "six-only-sync": guide(**{**V6, **_NO_V4}, sync_connections=True),
    "six-only-advertise": guide(**{**V6, **_NO_V4}, **ADVERTISE, tls=True, unicast=True),
    "six-direct": guide(**{**V6, **_NO_V4, **DIRECT, "floating6": None, "internal_network6": None}),
    "dual-granularity": guide(**V6, persistence_granularity=32, persistence_granularity6=32),
}  # fmt: skip
