"""What a router holds judged against a spec, before anything is planned: reasons not to touch this router."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lbftp.core import ours
from lbftp.core.checks.catalogue import entry
from lbftp.core.observe import keepalived
from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.ipvs import fwmark
from lbftp.core.observe.keepalived.records import Instance
from lbftp.core.observe.keepalived.tree import read
from lbftp.core.observe.keepalived.typed import meaning
from lbftp.core.observe.observed import Observed
from lbftp.core.ours import MODPROBE_FILE
from lbftp.core.problem import Problem
from lbftp.core.render import desired, kernel, nftables
from lbftp.core.render.iptables import own_name
from lbftp.core.render.keepalived import grouped, path
from lbftp.core.spec import FAMILIES, ClusterSpec, RouterSpec, Side

_WILDCARD: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound
_OPTIONS: Final = re.compile(r"^\s*options\s+ip_vs_ftp\b.*\bports=", re.MULTILINE)


def preflight(spec: ClusterSpec, observed: Observed) -> list[Problem]:
    """Problems of `spec` on this router. Errors mean that it must not be touched."""
    rules = (_programs, _masked, _owner, _native, _interfaces, _helper, _mark, _router_id, _ports)
    return [problem for rule in rules for problem in rule(spec, observed)]


def _programs(_spec: ClusterSpec, observed: Observed) -> Iterator[Problem]:
    if not observed.facts.keepalived:
        yield _problem(observed, "FTP100", "routers", "keepalived is not installed.", "Install the package keepalived.")
    elif not _there(observed, "keepalived.service"):
        yield _problem(
            observed, "FTP101", "routers", "There is no unit keepalived.service.", "Install the distribution's package."
        )
    if observed.firewall == "iptables" and not observed.facts.iptables:
        yield _problem(observed, "FTP102", "routers", "iptables is not installed.", "Install the package iptables.")
    for name, complaint in sorted(observed.others.items()):
        reason = f"{name} cannot be read: {complaint.strip()[:200]}"
        yield _problem(observed, "FTP103", "routers", reason, "Log in as root, or let the account use sudo.")


def _there(observed: Observed, name: str) -> bool:
    """Whether the unit exists; a masked one does, and has an error of its own."""
    unit = observed.unit(name)
    return unit.exists or unit.masked


def _masked(spec: ClusterSpec, observed: Observed) -> Iterator[Problem]:
    for name in desired(spec, observed).units:
        if observed.unit(name).masked:
            reason = f"The unit {name} is masked, so nothing can start or enable it."
            yield _problem(observed, "FTP119", "routers", reason, f"systemctl unmask {name}")


def _owner(spec: ClusterSpec, observed: Observed) -> Iterator[Problem]:
    if observed.firewall == "firewalld":
        yield _problem(
            observed,
            "FTP105",
            "routers",
            "firewalld owns this router's firewall and would flush our rules at its next reload.",
            "Use iptables-services or nftables on this router, and stop and disable firewalld.",
        )
    if observed.firewall != "iptables":
        return
    for family in FAMILIES:
        for table in observed.rules(family).unreadable:
            reason = f"The table {table} holds rules that nft put there, which iptables cannot read."
            remedy = "Move them to a table of nft's own, or let nftables.service own this router's filter."
            yield _problem(observed, "FTP108", "routers", reason, remedy)
    for unit in sorted({observed.facts.saved_unit(side.family) for side in spec.sides}):
        if not _there(observed, unit):
            yield _problem(
                observed,
                "FTP104",
                "routers",
                f"There is no unit {unit}, so saved rules would not come back after a reboot.",
                "Install iptables-services." if "redhat" in observed.facts.platform else "Install iptables-persistent.",
            )


def _native(spec: ClusterSpec, observed: Observed) -> Iterator[Problem]:
    """Our native table cannot let pass what another table drops (nft(8): a drop ends it, an accept does not)."""
    if observed.firewall != "nftables" or observed.nft is None:
        return
    for chain, lines in nftables.foreign_drops(spec, spec.router(observed.router), observed.nft):
        yield _problem(
            observed,
            "FTP107",
            "routers",
            f"The nftables chain {chain} drops what the cluster needs, and no other table can let it pass.",
            f"Add to that chain, before its other rules, in the file that makes it: {'; '.join(lines)}",
        )


def _interfaces(spec: ClusterSpec, observed: Observed) -> Iterator[Problem]:
    router = spec.router(observed.router)
    for name, address in (
        (router.public_interface, router.public_address),
        (router.internal_interface, router.internal_address),
        (router.public_interface, router.public_address6),
        (router.internal_interface, router.internal_address6),
    ):
        if address is not None and address not in observed.facts.interfaces.get(name, ()):
            has = ", ".join(map(str, observed.facts.interfaces.get(name, ()))) or "no address"
            yield _problem(
                observed,
                "FTP106",
                "routers",
                f"The interface {name} was enrolled with {address} and has {has} now.",
                "Look at the router again (Routers), then propose anew.",
            )


def _helper(spec: ClusterSpec, observed: Observed) -> Iterator[Problem]:
    if spec.mode != "helper":
        return
    ports = kernel.helper_ports(spec, observed.files.get(MODPROBE_FILE))
    if len(ports) > kernel.MAX_PORTS:
        reason = f"The clusters here need the helper on {len(ports)} control ports; it can watch {kernel.MAX_PORTS}."
        yield _problem(observed, "FTP116", "control_ports", reason, "Use fewer control ports on this pair.")
    for name, text in sorted(observed.files.items()):
        if name.startswith("/etc/modprobe") and name != MODPROBE_FILE and text and _OPTIONS.search(text):
            reason = f"{name} already sets the helper's control ports."
            yield _problem(
                observed, "FTP117", "control_ports", reason, "Take the line out: lbftp keeps them in its own file."
            )
    if spec.vip6 is not None and not kernel.extended_helper(observed.facts.kernel):
        reason = f"Linux {observed.facts.kernel} has no FTP helper for IPv6."
        yield _problem(observed, "FTP118", "vip6", reason, "Use mode 'advertise', or a kernel from 4.18 on.")


def _mark(spec: ClusterSpec, observed: Observed) -> Iterator[Problem]:
    if where := _who_marks(spec, observed):
        reason = f"Mark {spec.mark} is already set by {where}"
        yield _problem(observed, "FTP110", "mark", reason, "Choose a mark that nobody else uses on this router.")
    for name, text in observed.files.items():
        if _foreign(name, spec) and text and spec.mark in keepalived.marks(text):
            reason = f"{name} already has a virtual_server for mark {spec.mark}."
            yield _problem(observed, "FTP111", "mark", reason, "Choose a mark that nobody else uses on this router.")
    for side in spec.sides:
        if fwmark(spec.mark, side.family) in observed.services and observed.files.get(path(spec.name)) is None:
            reason = f"The kernel already has a virtual service for mark {spec.mark} that lbftp did not make."
            yield _problem(observed, "FTP115", "mark", reason, "Choose another mark, or remove that service first.")
            return


def _who_marks(spec: ClusterSpec, observed: Observed) -> str:
    """The first rule that is not the cluster's and sets its mark; '' if there is none."""
    sources = [
        (f, o, r) for f in (4, 6) for o, r in (("running", observed.rules(f)), ("saved", observed.saved_rules(f)))
    ]
    for _, origin, ruleset in sources:
        for table, chain, rule in ruleset.rules():
            if rule.sets_mark == spec.mark and chain.name != own_name(spec.name):
                return f"a foreign {origin} rule in {table}: {rule.text[:150]}"
    for native, place, marking in observed.nft.rules() if observed.nft else ():
        ours = native.name == nftables.table_name(spec.name) or place.name == own_name(spec.name)
        if not ours and marking.sets_mark == spec.mark:
            return f"a foreign rule in the nftables table {native.family} {native.name}, chain {place.name}"
    return ""


def _foreign(name: str, spec: ClusterSpec) -> bool:
    """Whether a keepalived file is somebody else's: not this cluster's own."""
    return name == keepalived.MAIN or (
        name.startswith("/etc/keepalived/") and name.endswith(".conf") and name != path(spec.name)
    )


def _router_id(spec: ClusterSpec, observed: Observed) -> Iterator[Problem]:
    """VRRP tells instances apart by router id within one network (RFC 5798, 5.2.3): the interface counts."""
    router = spec.router(observed.router)
    try:
        config = meaning(read(observed.files, keepalived.MAIN, observed.facts.hostname.partition(".")[0]))
    except ObserveError as error:
        yield _problem(observed, "FTP109", "routers", f"{error}.", "Correct it: keepalived would not read it either.")
        return
    for instance in config.instances:
        field = _clash(spec, router, instance)
        if field:
            yield _problem(
                observed,
                "FTP112",
                field,
                f"{instance.block.file}: {instance.name} already uses virtual router id {instance.vrid} "
                f"on {instance.interface}.",
                "Choose another one from 1 to 255.",
            )


def _clash(spec: ClusterSpec, router: RouterSpec, instance: Instance) -> str:
    """The field of the spec that meets this instance; '' if none does or the instance is our own."""
    own = {ours.public_instance(spec.name), ours.internal_instance(spec.group)}
    if instance.name in own:
        return ""
    if (instance.interface, instance.vrid) == (router.public_interface, spec.vrrp.vrid):
        return "vrid"
    internal = grouped(spec) and (instance.interface, instance.vrid) == (
        router.internal_interface,
        spec.vrrp.internal_vrid,
    )
    return "internal_vrid" if internal else ""


def _ports(spec: ClusterSpec, observed: Observed) -> Iterator[Problem]:
    for side in spec.sides:
        yield from _side_ports(spec, side, observed)


def _side_ports(spec: ClusterSpec, side: Side, observed: Observed) -> Iterator[Problem]:
    reach = {str(side.vip)} | ({"::"} if side.family == 6 else _WILDCARD)
    taken = sorted({port for address, port in observed.facts.listening if address in reach})
    for port in taken:
        if port in spec.passive or port in spec.ports:
            yield _problem(
                observed,
                "FTP113",
                "control_ports" if port in spec.ports else "passive_low",
                f"Port {port} is in use on the router itself; through the VIP it would lead to the FTP servers.",
                "Choose other ports, or stop what listens there.",
            )
    for key in sorted(observed.services):
        kind, _, place = key.partition(" ")
        address, _, digits = place.rpartition(":")
        same = kind == "tcp" and address.strip("[]") == str(side.vip)
        if same and digits.isdigit() and int(digits) in spec.passive:
            reason = f"Port {digits} of the VIP already belongs to another virtual service."
            yield _problem(observed, "FTP114", "passive_low", reason, "Choose a passive range without that port.")


def _problem(observed: Observed, code: str, field: str, reason: str, remedy: str) -> Problem:
    return Problem(code, entry(code).severity, field, f"{observed.router}: {reason}", remedy, observed.router)
