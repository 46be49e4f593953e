"""What the mode, the way of forwarding, TLS and active mode mean for each other (docs: "helper" and "advertise")."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Final

from lbftp.core.lint.rule import Rule, error, info, listed, warning
from lbftp.core.problem import Problem
from lbftp.core.spec import ClusterSpec


def _helper(spec: ClusterSpec) -> Iterator[Problem]:
    if spec.mode != "helper":
        return
    if not spec.nat:
        yield error(
            "FTP080",
            "mode",
            f"The helper works with NAT only: with {spec.forwarding} servers answer clients past the router.",
            "Use advertise mode, in which the servers name the VIP themselves, or NAT.",
        )
    elif spec.active == "none" and spec.vip is not None:
        yield error(
            "FTP083",
            "active",
            "Without a nat rule nothing turns connection tracking on, and without it the helper does not rewrite: "
            "PASV breaks.",
            "Choose masquerade or SNAT for active mode; the rule is what the helper needs.",
        )
    if spec.tls:
        yield error(
            "FTP081",
            "tls",
            "The helper cannot read an encrypted session, so with TLS clients get the server's private address.",
            "Use advertise mode, which carries plain and TLS, or leave TLS out.",
        )
    if spec.implicit_ports:
        yield error(
            "FTP082",
            "implicit_ports",
            f"Sessions of port {listed(spec.implicit_ports)} are encrypted from the first byte, and the helper cannot "
            "read them.",
            "Use advertise mode, which carries plain and TLS, or leave these ports out.",
        )


def _active(spec: ClusterSpec) -> Iterator[Problem]:
    """Truth 2: through the masquerade rule alone data comes from the router's own address, not from the VIP."""
    if not spec.nat and spec.active != "none":
        yield info(
            "FTP084",
            "active",
            f"With {spec.forwarding} servers open active connections from the VIP itself, so no {spec.active} rule is "
            "written; the choice only promises active mode.",
            "Nothing to do; choose none if active mode is not to be promised.",
        )
    if spec.nat and spec.active == "none":
        yield info(
            "FTP085",
            "active",
            "Active mode (PORT, EPRT) is not carried: real servers' own connections have no way out.",
            "Choose SNAT if clients are to use active mode.",
        )
    if spec.nat and spec.mode == "advertise" and spec.active == "masquerade":
        yield warning(
            "FTP086",
            "active",
            "Without the helper a masqueraded data connection comes from the router's own address, and clients that "
            "compare it with the VIP refuse it.",
            "Choose SNAT, which makes it come from the VIP.",
        )


def _direct(spec: ClusterSpec) -> Iterator[Problem]:
    """Direct routing hands the packet over by its hardware address, so both have to be on one link."""
    for side in spec.sides if spec.forwarding == "DR" else ():
        for router in spec.routers:
            own = [i.network for i in (router.internal(side.family), router.public(side.family)) if i is not None]
            far = [s.name for s in spec.servers(side.family) if not any(s.at(side.family) in n for n in own)]
            if own and far:
                yield error(
                    "FTP087",
                    "real_servers",
                    f"{listed(far)} is in no network that {router.name} is connected to, and direct routing does not "
                    "pass a gateway.",
                    "Use servers on a link of the routers, or tunnelling.",
                    router.name,
                )


def _tunnel(spec: ClusterSpec) -> Iterator[Problem]:
    if spec.forwarding == "TUN":
        header = max(20 if isinstance(side.vip, IPv4Address) else 40 for side in spec.sides)
        yield info(
            "FTP089",
            "forwarding",
            f"Each packet to a real server grows by {header} bytes in the tunnel, and large uploads stall where the "
            "larger packets do not fit.",
            f"Give the links between routers and servers room ({1500 + header} bytes), or lower the servers' MSS.",
        )


RULES: Final[tuple[Rule, ...]] = (_helper, _active, _direct, _tunnel)
