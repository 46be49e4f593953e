"""How the floating addresses move (RFC 5798, keepalived.conf(5))."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lbftp.core.lint.rule import Rule, error, info, listed, warning
from lbftp.core.problem import Problem
from lbftp.core.spec import ClusterSpec, Family

_LONG: Final = 10


def grouped(spec: ClusterSpec) -> bool:
    """Whether there is an internal VRRP instance, which moves together with the VIP's."""
    return spec.floating is not None or spec.floating6 is not None


def public_family(spec: ClusterSpec) -> Family:
    """The IP version in which the VIP's instance speaks; IPv6 addresses ride with IPv4."""
    return 4 if spec.vip is not None else 6


def internal_family(spec: ClusterSpec) -> Family:
    return 4 if spec.floating is not None else 6


def _ids(spec: ClusterSpec) -> Iterator[Problem]:
    same_family = public_family(spec) == internal_family(spec)
    if not grouped(spec) or not same_family or spec.vrrp.vrid != spec.vrrp.internal_vrid:
        return
    for router in spec.routers:
        if router.public_interface == router.internal_interface:
            yield error(
                "FTP093",
                "internal_vrid",
                f"Both VRRP instances of {router.name} speak on {router.public_interface} with the virtual router id "
                f"{spec.vrrp.vrid}.",
                "Choose another id for the internal one.",
                router.name,
            )


def _preemption(spec: ClusterSpec) -> Iterator[Problem]:
    if spec.vrrp.preempt:
        return
    yield info(
        "FTP094",
        "preempt",
        "Without preemption the addresses stay with the backup after a failure until that one fails too: the "
        "priority decides only who begins.",
        "Nothing to do; it saves the second interruption. Look at the page for who is master.",
    )
    if spec.vrrp.preempt_delay:
        yield warning(
            "FTP095",
            "preempt_delay",
            f"A delay of {spec.vrrp.preempt_delay} s before preemption means nothing where there is no preemption.",
            "Set it to 0, or allow preemption.",
        )


def _unicast(spec: ClusterSpec) -> Iterator[Problem]:
    if not spec.vrrp.unicast:
        return
    public, internal = public_family(spec), internal_family(spec)
    for router in spec.routers:
        lacking = [] if router.public(public) else [f"IPv{public} on {router.public_interface}"]
        if grouped(spec) and router.internal(internal) is None:
            lacking.append(f"IPv{internal} on {router.internal_interface}")
        if lacking:
            yield error(
                "FTP096",
                "unicast",
                f"VRRP by unicast names each router's own address, and {router.name} has none ({listed(lacking)}).",
                "Give the interface an address, or use multicast.",
                router.name,
            )


def _interval(spec: ClusterSpec) -> Iterator[Problem]:
    """RFC 3768, 6.1: Master_Down_Interval = 3 * Advertisement_Interval + (256 - priority) / 256."""
    slowest = min((r.priority for r in spec.routers), default=254)
    down = 3 * spec.vrrp.advert_int + (256 - slowest) / 256
    if down > _LONG:
        yield warning(
            "FTP097",
            "advert_int",
            f"With an interval of {spec.vrrp.advert_int} s the backup takes over {down:.1f} s after the master fell "
            "silent.",
            "Use 1 s, at most 3 s.",
        )


def _sync(spec: ClusterSpec) -> Iterator[Problem]:
    if not spec.vrrp.sync_connections:
        return
    interface = listed(sorted({r.internal_interface for r in spec.routers}))
    lost = (
        " Sessions that depend on connection tracking (the helper's) may still break." if spec.mode == "helper" else ""
    )
    yield info(
        "FTP098",
        "sync_connections",
        f"Connections go to the backup by multicast on {interface}, unencrypted and without connection tracking.{lost}",
        "Keep strangers off that network, and try a failover with a session open.",
    )


RULES: Final[tuple[Rule, ...]] = (_ids, _preemption, _unicast, _interval, _sync)
