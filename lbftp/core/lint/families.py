"""IPv4 beside IPv6: who lacks which, and what IPv6 does to FTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lbftp.core.lint.rule import Rule, be, error, field_of, info, listed, warning
from lbftp.core.problem import Problem
from lbftp.core.spec import FAMILIES, ClusterSpec, Family, RouterSpec


def _servers(spec: ClusterSpec) -> Iterator[Problem]:
    for side in spec.sides if spec.real_servers else ():
        lacking = [s.name for s in spec.real_servers if s.at(side.family) is None]
        if len(lacking) == len(spec.real_servers):
            yield error(
                "FTP051",
                "real_servers",
                f"No real server has an IPv{side.family} address, so clients of {side.vip} get no server.",
                f"Give the real servers IPv{side.family} addresses, or take the VIP {side.vip} away.",
            )
        elif lacking:
            yield warning(
                "FTP050",
                "real_servers",
                f"{listed(lacking)} {be(lacking, 'has', 'have')} no IPv{side.family} address, so the others carry "
                f"all clients of {side.vip}.",
                f"Give each real server an IPv{side.family} address.",
            )


def _routers(spec: ClusterSpec) -> Iterator[Problem]:
    for router in spec.routers:
        for side in spec.sides:
            yield from _router(spec, router, side.family)


def _router(spec: ClusterSpec, router: RouterSpec, family: Family) -> Iterator[Problem]:
    one_armed = router.public_interface == router.internal_interface
    if router.public(family) is None:
        yield error(
            "FTP052",
            "routers",
            f"{router.name} has no IPv{family} address of its own on {router.public_interface}, towards the clients.",
            f"Give the interface one beside the VIP and look at the router again, or take IPv{family} away.",
            router.name,
        )
    if router.internal(family) is None and spec.forwarding != "TUN" and not one_armed:
        yield error(
            "FTP053",
            "routers",
            f"{router.name} has no IPv{family} address of its own on {router.internal_interface}, towards the real "
            "servers.",
            f"Give the interface one and look at the router again, or take IPv{family} away.",
            router.name,
        )


def _modes(spec: ClusterSpec) -> Iterator[Problem]:
    if spec.vip6 is None:
        return
    yield info(
        "FTP054",
        "vip6",
        "Over IPv6 there is neither PASV nor PORT (RFC 2428): clients have to use EPSV or EPRT.",
        "Nothing to do, unless very old clients are to come over IPv6.",
    )
    if spec.mode == "helper":
        yield info(
            "FTP055",
            "vip6",
            "The helper understands IPv6 only in kernels from about 4.18 on.",
            "Make sure that both routers run a newer one, or use advertise mode.",
        )


def _stray(spec: ClusterSpec) -> Iterator[Problem]:
    """Values of an IP version in which clients have no address to come to. A floating address may still be the VRRP
    group's, which has to be the same in all of its clusters."""
    mine = {side.family for side in spec.sides}
    given: dict[Family, list[tuple[str, object]]] = {
        4: [("floating", spec.floating), ("internal_network", spec.internal_network)],
        6: [("floating6", spec.floating6), ("internal_network6", spec.internal_network6)],
    }
    for family in FAMILIES:
        for field, value in given[family] if family not in mine else ():
            shared = spec.vrrp.group and field == field_of("floating", family)
            if value is not None and not shared:
                yield warning(
                    "FTP056",
                    field,
                    f"{value} is given, and there is no IPv{family} VIP for clients to come to.",
                    f"Give the {field_of('vip', family)} as well, or leave this empty.",
                )


RULES: Final[tuple[Rule, ...]] = (_servers, _routers, _modes, _stray)
