"""Clusters that share a router: what must differ, what must be the same, and what they share by nature."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lbftp.core.lint.rule import PairRule, error, field_of, listed, warning
from lbftp.core.lint.vrrp import grouped, internal_family, public_family
from lbftp.core.problem import Problem
from lbftp.core.render.kernel import MAX_PORTS
from lbftp.core.spec import ClusterSpec, RouterSpec
from lbftp.core.spec.values import Address

# What the group's one internal instance is made of (beside the floating addresses), so its clusters must agree.
_GROUP_VALUES: Final = (
    "internal_vrid", "advert_int", "preempt", "preempt_delay", "unicast", "track_interfaces", "sync_connections",
)  # fmt: skip
_ROUTER_VALUES: Final = ("priority", "internal_interface")
# The instance names these only with unicast peers, and the other side's interface only if that is tracked.
_PEER_VALUES: Final = ("internal_address", "internal_address6")
_TRACKED_VALUES: Final = ("public_interface",)


def _mark(spec: ClusterSpec, other: ClusterSpec) -> Iterator[Problem]:
    if spec.mark == other.mark:
        yield error(
            "FTP040",
            "mark",
            f"Mark {spec.mark} is already used by the cluster {other.name} on the same routers.",
            "Choose a mark of its own for each cluster: IPVS tells them apart by nothing else.",
        )


def _addresses(spec: ClusterSpec, other: ClusterSpec) -> Iterator[Problem]:
    theirs = {side.family: side for side in other.sides}
    for side in spec.sides:
        there = theirs.get(side.family)
        if there is None:
            continue
        if side.vip == there.vip:
            yield error(
                "FTP041",
                field_of("vip", side.family),
                f"The VIP {side.vip} already belongs to the cluster {other.name}.",
                "Choose another VIP.",
            )
        if side.floating is not None and side.floating == there.floating and spec.group != other.group:
            yield error(
                "FTP043",
                field_of("floating", side.family),
                f"The internal floating address {side.floating} already belongs to the cluster {other.name}, whose "
                f"addresses move on their own (VRRP group {other.group}).",
                "Give both clusters the same VRRP group, or choose another address and make it the default route of "
                "this cluster's real servers.",
            )


def _crossed(spec: ClusterSpec, other: ClusterSpec) -> Iterator[Problem]:
    """An address that is one thing here and another thing there."""
    theirs = _held(other)
    for address, (field, what) in _held(spec).items():
        if address in theirs and theirs[address][1] != what:
            yield error(
                "FTP205",
                field,
                f"{address} is {what} here and {theirs[address][1]} of the cluster {other.name}.",
                "Choose another address: each one has one task on a pair of routers.",
            )


def _held(spec: ClusterSpec) -> dict[Address, tuple[str, str]]:
    found: dict[Address, tuple[str, str]] = {}
    for server in spec.real_servers:
        for address in (server.address, server.address6):
            if address is not None:
                found[address] = ("real_servers", "a real server")
    for side in spec.sides:
        if side.floating is not None:
            found[side.floating] = (field_of("floating", side.family), "the internal floating address")
        found[side.vip] = (field_of("vip", side.family), "the VIP")
    return found


def _shared(spec: ClusterSpec, other: ClusterSpec) -> Iterator[tuple[RouterSpec, RouterSpec]]:
    """The routers that both use, as each of them knows them."""
    theirs = {r.name: r for r in other.routers}
    yield from ((r, theirs[r.name]) for r in spec.routers if r.name in theirs)


def _router_ids(spec: ClusterSpec, other: ClusterSpec) -> Iterator[Problem]:
    """A virtual router id is taken on one interface, for one IP version (RFC 5798; keepalived -t complains)."""
    taken = f"is already used by the cluster {other.name}"
    if public_family(spec) == public_family(other) and spec.vrrp.vrid == other.vrrp.vrid:
        meets = [a.name for a, b in _shared(spec, other) if a.public_interface == b.public_interface]
        if meets:
            yield error(
                "FTP042",
                "vrid",
                f"Virtual router id {spec.vrrp.vrid} {taken} on the same routers.",
                "Choose another one from 1 to 255.",
            )
    for field, vrid in _internal_clash(spec, other):
        yield error(
            "FTP045",
            field,
            f"Virtual router id {vrid} {taken} on the same interface.",
            "Choose another one from 1 to 255, or give both clusters the same VRRP group.",
        )


def _internal_clash(spec: ClusterSpec, other: ClusterSpec) -> Iterator[tuple[str, int]]:
    if spec.group == other.group and grouped(spec) and grouped(other):
        return
    mine = {key: field for field, key in _instances(spec, other)}
    theirs = {key: field for field, key in _instances(other, spec)}
    for key in sorted(mine.keys() & theirs.keys()):
        if (mine[key], theirs[key]) != ("vrid", "vrid"):
            yield mine[key], key[3]


def _instances(spec: ClusterSpec, other: ClusterSpec) -> Iterator[tuple[str, tuple[str, str, int, int]]]:
    """(field, (router, interface, IP version, id)) of each VRRP instance on the routers that both use."""
    for router, _ in _shared(spec, other):
        yield "vrid", (router.name, router.public_interface, public_family(spec), spec.vrrp.vrid)
        if grouped(spec):
            place = (router.name, router.internal_interface, internal_family(spec), spec.vrrp.internal_vrid)
            yield "internal_vrid", place


def _group(spec: ClusterSpec, other: ClusterSpec) -> Iterator[Problem]:
    if spec.group != other.group or not grouped(spec) or not grouped(other):
        return
    for field, mine, theirs in _group_differences(spec, other):
        yield error(
            "FTP044",
            field,
            f"The cluster {other.name} of the same VRRP group {spec.group} has {theirs} here, not {mine}.",
            "Give all clusters of the group the same value, or another group with a floating address of its own.",
        )
    one_sided = bool(spec.vrrp.group) != bool(other.vrrp.group)
    if one_sided and (spec.floating, spec.floating6) != (other.floating, other.floating6):
        yield warning(
            "FTP046",
            "group",
            f"{spec.group} is the VRRP group of one cluster by choice and of another by its name alone, and their "
            "floating addresses differ.",
            "Choose another group, or name it in both clusters if they are to move together.",
        )


def _group_differences(spec: ClusterSpec, other: ClusterSpec) -> Iterator[tuple[str, object, object]]:
    for field in ("floating", "floating6"):
        mine, theirs = getattr(spec, field), getattr(other, field)
        if mine != theirs:
            yield field, mine or "none", theirs or "none"
    for field in _GROUP_VALUES:
        mine, theirs = getattr(spec.vrrp, field), getattr(other.vrrp, field)
        if mine != theirs:
            yield field, _word(mine), _word(theirs)
    names, others = [r.name for r in spec.routers], [r.name for r in other.routers]
    if names != others:
        yield "routers", listed(names), listed(others)
    fields: tuple[str, ...] = _ROUTER_VALUES
    fields += _PEER_VALUES if spec.vrrp.unicast else ()
    fields += _TRACKED_VALUES if spec.vrrp.track_interfaces else ()
    for a, b in _shared(spec, other):
        for field in fields:
            # None: the address of an IP version that this cluster does not have.
            if None not in (getattr(a, field), getattr(b, field)) and getattr(a, field) != getattr(b, field):
                what = field.replace("_", " ")
                yield "routers", f"{what} {getattr(a, field)}", f"{what} {getattr(b, field)} on {b.name}"


def _word(value: object) -> object:
    return ("yes" if value else "no") if isinstance(value, bool) else value


def _helper(spec: ClusterSpec, other: ClusterSpec) -> Iterator[Problem]:
    """Truth 5: where the helper rewrites, a server that names the VIP itself breaks PASV. It watches ports, not VIPs,
    and NAT only (truth 10)."""
    helper, advertise = (spec, other) if spec.mode == "helper" else (other, spec)
    if helper.mode != "helper" or advertise.mode != "advertise" or not advertise.nat or advertise.vip is None:
        return
    if both := [p for p in advertise.control_ports if p in helper.control_ports]:
        yield error(
            "FTP047",
            "control_ports",
            f"The helper that {helper.name} needs also rewrites the sessions of {advertise.name} at port "
            f"{listed(both)}, whose servers name the VIP already: PASV breaks.",
            f"Give {advertise.name} another control port, other routers, or direct routing.",
        )


def _sync(spec: ClusterSpec, other: ClusterSpec) -> Iterator[Problem]:
    both = spec.vrrp.sync_connections and other.vrrp.sync_connections
    together = spec.group == other.group and grouped(spec) and grouped(other)
    if both and not together:
        yield error(
            "FTP049",
            "sync_connections",
            f"A router has one connection sync, and the cluster {other.name} of another VRRP group has it already.",
            "Turn it off in one of the groups: it carries the connections of all clusters.",
        )


def helper_ports(spec: ClusterSpec, others: Sequence[ClusterSpec]) -> Iterator[Problem]:
    """ip_vs_ftp is loaded once for a router, with the ports of all its clusters."""
    for router in spec.routers if spec.mode == "helper" else ():
        beside = [o for o in others if o.mode == "helper" and router.name in {r.name for r in o.routers}]
        union = sorted({p for cluster in (spec, *beside) for p in cluster.control_ports})
        if len(union) > MAX_PORTS:
            yield error(
                "FTP048",
                "control_ports",
                f"The helper watches {MAX_PORTS} ports at most, and the clusters of {router.name} want "
                f"{len(union)} ({listed(union, 12)}).",
                "Use the same control ports in several clusters; each has a VIP of its own.",
                router.name,
            )


RULES: Final[tuple[PairRule, ...]] = (_mark, _addresses, _crossed, _router_ids, _group, _helper, _sync)
