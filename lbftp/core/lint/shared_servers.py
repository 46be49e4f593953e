"""Real servers that work for two clusters on the same routers: one FTP daemon has one configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lbftp.core.lint.rule import PairRule, be, error, field_of, listed, warning
from lbftp.core.problem import Problem
from lbftp.core.promise import data_ports
from lbftp.core.spec import FAMILIES, ClusterSpec


def _names(spec: ClusterSpec, other: ClusterSpec) -> list[str]:
    """Names, as `spec` has them, of the machines that are real servers of both."""
    theirs = {s.at(f) for s in other.real_servers for f in FAMILIES} - {None}
    return [s.name for s in spec.real_servers if theirs & {s.at(f) for f in FAMILIES}]


def _daemon(spec: ClusterSpec, other: ClusterSpec) -> Iterator[Problem]:
    """Truth 6: what the helper needs of a daemon and what advertise mode with NAT needs exclude each other. (Without
    NAT a daemon talks to clients from the VIP, and names that by itself.)"""
    names = _names(spec, other)
    ports = sorted(set(spec.ports) & set(other.ports))
    if not names or not ports:
        return
    where = f"{listed(names)} {be(names, 'serves', 'serve')} {other.name} at port {listed(ports)} as well"
    own = "or a second daemon with a control port of its own."
    if spec.mode != other.mode and all(c.nat for c in (spec, other) if c.mode == "advertise"):
        reason = f"{where}, in {other.mode} mode: one FTP daemon either names the VIP or does not."
        yield error("FTP200", "real_servers", reason, f"Use the same mode in both clusters, {own}")
    if spec.passive != other.passive:
        reason = f"{where}, with the passive range {other.passive}: one FTP daemon has one range."
        yield error("FTP201", "passive_low", reason, f"Use the same range in both clusters, {own}")
    named = [c.vip for c in (spec, other) if c.mode == "advertise" and c.nat and c.vip is not None]
    if len(set(named)) > 1:
        reason = f"{where}, with the VIP {other.vip}: one FTP daemon names one address to clients of PASV."
        yield error("FTP202", "real_servers", reason, f"Use other servers, {own}")


def _default_route(spec: ClusterSpec, other: ClusterSpec) -> Iterator[Problem]:
    """With NAT it is the floating address; without, it must not be a router, which drops what comes from an address of
    its own, the VIP (measured, Linux 6.18)."""
    theirs = {side.family: side for side in other.sides}
    for side in spec.sides:
        there = theirs.get(side.family)
        mine = {s.at(side.family): s.name for s in spec.servers(side.family)}
        both = [mine[a] for s in other.servers(side.family) if (a := s.at(side.family)) in mine]
        if there is None or not both or not (spec.nat or other.nat):
            continue
        route = f"has the internal floating address {there.floating or 'not given yet'}"
        way = route if other.nat else f"answers clients by {other.forwarding}"
        if spec.nat != other.nat or side.floating != there.floating:
            yield error(
                "FTP203",
                field_of("floating", side.family),
                f"{listed(both)} {be(both, 'serves', 'serve')} {other.name} as well, which {way}: a server has one "
                "default route.",
                "Give both clusters the same way of forwarding, floating address and VRRP group, or use other servers.",
            )


def _ranges(spec: ClusterSpec, other: ClusterSpec) -> Iterator[Problem]:
    vips = {str(side.vip) for side in spec.sides} & {str(side.vip) for side in other.sides}
    if vips and spec.passive.overlaps(other.passive):
        yield error(
            "FTP204",
            "passive_low",
            f"At {listed(sorted(vips))} the passive range {spec.passive} overlaps {other.passive} of the cluster "
            f"{other.name}: the mark that is set last wins.",
            "Give each cluster a VIP of its own.",
        )


def _way_out(spec: ClusterSpec, other: ClusterSpec) -> Iterator[Problem]:
    """Rules for active mode go by the internal network; of two for the same one the first decides."""
    exact = (
        spec.nat and other.nat and "none" not in (spec.active, other.active) and "snat" in (spec.active, other.active)
    )
    if not exact or "advertise" not in (spec.mode, other.mode) or not set(data_ports(spec)) & set(data_ports(other)):
        return
    theirs = {side.family: side.network for side in other.sides}
    for side in spec.sides:
        network = theirs.get(side.family)
        if side.network is None or network is None:
            continue
        if network.network_address in side.network or side.network.network_address in network:
            yield warning(
                "FTP206",
                field_of("internal_network", side.family),
                f"{other.name} has real servers in {network} too: an active data connection may leave with the other "
                "cluster's address.",
                "Put the real servers of clusters with SNAT into different networks.",
            )


RULES: Final[tuple[PairRule, ...]] = (_daemon, _default_route, _ranges, _way_out)
