"""Addresses and networks, for each IP version that the cluster has."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Final

from lbftp.core.lint.rule import Rule, error, field_of, info, warning
from lbftp.core.problem import Problem
from lbftp.core.spec import ClusterSpec, RouterSpec, Side
from lbftp.core.spec.values import Address, Interface, Network


def _nat(spec: ClusterSpec) -> Iterator[Problem]:
    """With NAT the internal floating address is the real servers' default route."""
    for side in spec.sides if spec.nat else ():
        if side.floating is None:
            yield error(
                "FTP017",
                field_of("floating", side.family),
                f"There is no internal floating IPv{side.family} address, so the real servers' answers have no way "
                "back that survives a router.",
                "Give an address of the internal network, and make it the real servers' default route.",
            )
        if side.network is None:
            yield error(
                "FTP018",
                field_of("internal_network", side.family),
                f"There is no internal IPv{side.family} network, which NAT and the rules for active mode need.",
                "Give the network in which the real servers are.",
            )
        else:
            yield from _inside(spec, side, side.network)


def _inside(spec: ClusterSpec, side: Side, network: Network) -> Iterator[Problem]:
    for server in spec.servers(side.family):
        if server.at(side.family) not in network:
            yield error(
                "FTP010",
                "real_servers",
                f"{server.name} ({server.at(side.family)}) is outside the internal network {network}.",
                "With NAT a real server's answers must come back through the router: use a server of that network, "
                "or correct the network.",
            )
    if side.floating is not None and side.floating not in network:
        yield error(
            "FTP011",
            field_of("floating", side.family),
            f"The internal floating address {side.floating} is outside the internal network {network}.",
            "Give an address of the internal network; real servers use it as their default route.",
        )
    for router in spec.routers:
        yield from _router_inside(router, side, network)


def _router_inside(router: RouterSpec, side: Side, network: Network) -> Iterator[Problem]:
    internal, public = router.internal(side.family), router.public(side.family)
    if internal is not None and internal.ip not in network:
        yield error(
            "FTP013",
            field_of("internal_network", side.family),
            f"{router.name}'s internal interface {router.internal_interface} ({internal}) is not in the internal "
            f"network {network}.",
            "Correct the internal network, or choose the interface that faces the real servers.",
            router.name,
        )
    if public is not None and router.public_interface != router.internal_interface and _overlap(public, network):
        yield error(
            "FTP059",
            field_of("internal_network", side.family),
            f"{router.name}'s public network {public.network} overlaps the internal network {network}, so the router "
            "cannot tell the two sides apart.",
            "Use different networks for clients and real servers.",
            router.name,
        )


def _overlap(public: Interface, network: Network) -> bool:
    return public.ip in network or network.network_address in public.network


def _public(spec: ClusterSpec) -> Iterator[Problem]:
    for router in spec.routers:
        for side in spec.sides:
            public = router.public(side.family)
            if public is not None and side.vip not in public.network:
                yield warning(
                    "FTP012",
                    field_of("vip", side.family),
                    f"The VIP {side.vip} is in no network of {router.name}'s public interface "
                    f"{router.public_interface} ({public}).",
                    "Give an address of that network, or see that the network before it routes the VIP to this pair.",
                    router.name,
                )
        if spec.nat and router.public_interface == router.internal_interface:
            yield error(
                "FTP014",
                "routers",
                f"{router.name} uses {router.public_interface} for the public and the internal side.",
                "NAT needs two interfaces: choose another one for one side.",
                router.name,
            )


def _taken(spec: ClusterSpec) -> Iterator[Problem]:
    for side in spec.sides:
        taken = {s.at(side.family): f"real server {s.name}" for s in spec.servers(side.family)}
        for router in spec.routers:
            for own in (router.public(side.family), router.internal(side.family)):
                if own is not None:
                    taken[own.ip] = f"router {router.name}"
        for name, address in (("vip", side.vip), ("floating", side.floating)):
            if address in taken:
                yield error(
                    "FTP015",
                    field_of(name, side.family),
                    f"{address} already belongs to {taken[address]}.",
                    "A floating address moves between the routers: choose one that nobody holds.",
                )
        if side.vip == side.floating:
            yield error(
                "FTP016",
                field_of("floating", side.family),
                "VIP and internal floating address are the same.",
                "Give two addresses.",
            )


def _needless(spec: ClusterSpec) -> Iterator[Problem]:
    """A router that holds the VIP takes a packet from the VIP for a forgery and drops it (measured, Linux 6.18)."""
    for side in spec.sides if not spec.nat else ():
        if side.floating is not None:
            yield info(
                "FTP019",
                field_of("floating", side.family),
                f"With {spec.forwarding} real servers answer clients directly: nobody needs the internal floating "
                f"address {side.floating}.",
                "Leave it empty, and let no server answer through the routers, which drop what comes from their VIP.",
            )


def _usable(spec: ClusterSpec) -> Iterator[Problem]:
    for side in spec.sides:
        named: list[tuple[str, str, Address | None]] = [
            (field_of("vip", side.family), "The VIP", side.vip),
            (field_of("floating", side.family), "The internal floating address", side.floating),
            ("sorry_server", "The sorry server", spec.sorry_server.at(side.family)),
            *(("real_servers", s.name, s.at(side.family)) for s in spec.servers(side.family)),
        ]
        for field, who, address in named:
            if address is not None and (what := _unusable(address)):
                yield error(
                    "FTP057",
                    field,
                    f"{who} has {address}, {what}, which no client and no server can reach.",
                    "Give an ordinary address of one host.",
                )


def _unusable(address: Address) -> str:
    """What kind of address it is if no single host can be reached at it, else ''."""
    for found, what in (
        (address.is_unspecified, "the unspecified address"),
        (address.is_loopback, "a loopback address"),
        (address.is_multicast, "a multicast address"),
        (address.is_link_local, "a link-local address"),
        (isinstance(address, IPv4Address) and address.is_reserved, "a reserved address"),
    ):
        if found:
            return what
    return ""


def _edges(spec: ClusterSpec) -> Iterator[Problem]:
    """The network's own and its broadcast address (RFC 4291, 2.6.1: the first IPv6 one is every router's)."""
    for side in spec.sides:
        inside: list[tuple[str, Address | None]] = [(field_of("floating", side.family), side.floating)]
        inside += [("real_servers", s.at(side.family)) for s in spec.servers(side.family)]
        public = {i.network for r in spec.routers if (i := r.public(side.family)) is not None}
        pairs = [(field, address, side.network) for field, address in inside if side.network is not None]
        pairs += [(field_of("vip", side.family), side.vip, network) for network in sorted(public, key=str)]
        for field, address, network in pairs:
            if address is not None and network is not None and _edge(address, network):
                yield error(
                    "FTP058",
                    field,
                    f"{address} is the first or the last address of {network} and belongs to no single host.",
                    "Choose an address between them.",
                )


def _edge(address: Address, network: Network) -> bool:
    if network.prefixlen >= network.max_prefixlen - 1:
        return False
    last = network.broadcast_address if network.version == 4 else None
    return address in (network.network_address, last)


RULES: Final[tuple[Rule, ...]] = (_nat, _public, _taken, _needless, _usable, _edges)
