"""What a router holds judged against a spec, before anything is planned: reasons not to touch this router."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lbftp.core.observe import keepalived
from lbftp.core.observe.ipvs import fwmark
from lbftp.core.observe.observed import Observed
from lbftp.core.problem import Problem
from lbftp.core.render.iptables import own_name
from lbftp.core.render.keepalived import path
from lbftp.core.spec import ClusterSpec

_WILDCARD: Final = frozenset({"0.0.0.0"})  # noqa: S104 - compared, not bound


def preflight(spec: ClusterSpec, observed: Observed) -> list[Problem]:
    """Problems of `spec` on this router. Errors mean that it must not be touched."""
    rules = (_programs, _owner, _interfaces, _mark, _router_id, _ports)
    return [problem for rule in rules for problem in rule(spec, observed)]


def _programs(_spec: ClusterSpec, observed: Observed) -> Iterator[Problem]:
    if not observed.facts.keepalived:
        yield _error(observed, "FTP100", "routers", "keepalived is not installed.", "Install the package keepalived.")
    elif not observed.unit("keepalived.service").exists:
        yield _error(
            observed, "FTP101", "routers", "There is no unit keepalived.service.", "Install the distribution's package."
        )
    if not observed.facts.iptables:
        yield _error(observed, "FTP102", "routers", "iptables is not installed.", "Install the package iptables.")
    for name, complaint in sorted(observed.others.items()):
        reason = f"{name} cannot be read: {complaint.strip()[:200]}"
        yield _error(observed, "FTP103", "routers", reason, "Log in as root, or let the account use sudo.")


def _owner(_spec: ClusterSpec, observed: Observed) -> Iterator[Problem]:
    unit = observed.facts.firewall_unit
    if not observed.unit(unit).exists:
        yield _error(
            observed,
            "FTP104",
            "routers",
            f"There is no unit {unit}, so saved rules would not come back after a reboot.",
            "Install iptables-services." if "redhat" in observed.facts.platform else "Install iptables-persistent.",
        )
    if observed.unit("firewalld.service").active == "active":
        yield _error(
            observed,
            "FTP105",
            "routers",
            "firewalld owns this router's firewall and would flush our rules at its next reload.",
            "Use iptables-services on this router, and stop and disable firewalld.",
        )


def _interfaces(spec: ClusterSpec, observed: Observed) -> Iterator[Problem]:
    router = spec.router(observed.router)
    for name, address in (
        (router.public_interface, router.public_address),
        (router.internal_interface, router.internal_address),
    ):
        if address not in observed.facts.interfaces.get(name, ()):
            has = ", ".join(map(str, observed.facts.interfaces.get(name, ()))) or "no IPv4 address"
            yield _error(
                observed,
                "FTP106",
                "routers",
                f"The interface {name} was enrolled with {address} and has {has} now.",
                "Look at the router again (Routers), then propose anew.",
            )


def _mark(spec: ClusterSpec, observed: Observed) -> Iterator[Problem]:
    for origin, ruleset in (("running", observed.running), ("saved", observed.saved)):
        for table, chain, rule in ruleset.rules():
            if rule.sets_mark == spec.mark and chain.name != own_name(spec.name):
                yield _error(
                    observed,
                    "FTP110",
                    "mark",
                    f"Mark {spec.mark} is already set by a foreign {origin} rule in {table}: {rule.text[:150]}",
                    "Choose a mark that nobody else uses on this router.",
                )
                return
    for name, text in observed.files.items():
        others = name.startswith(keepalived.INCLUDE_DIR) and name != path(spec.name)
        if (name == keepalived.MAIN or others) and text and spec.mark in keepalived.marks(text):
            reason = f"{name} already has a virtual_server for mark {spec.mark}."
            yield _error(observed, "FTP111", "mark", reason, "Choose a mark that nobody else uses on this router.")
    if fwmark(spec.mark) in observed.services and observed.files.get(path(spec.name)) is None:
        reason = f"The kernel already has a virtual service for mark {spec.mark} that lbftp did not make."
        yield _error(observed, "FTP115", "mark", reason, "Choose another mark, or remove that service first.")


def _router_id(spec: ClusterSpec, observed: Observed) -> Iterator[Problem]:
    for name, text in sorted(observed.files.items()):
        foreign = name == keepalived.MAIN or (name.startswith(keepalived.INCLUDE_DIR) and name != path(spec.name))
        if foreign and text and spec.vrrp.vrid in keepalived.router_ids(text):
            yield _error(
                observed,
                "FTP112",
                "vrid",
                f"{name} already uses virtual router id {spec.vrrp.vrid}.",
                "Choose another one from 1 to 255.",
            )


def _ports(spec: ClusterSpec, observed: Observed) -> Iterator[Problem]:
    reach = _WILDCARD | {str(spec.vip)}
    taken = sorted(port for address, port in observed.facts.listening if address in reach)
    for port in taken:
        if port in spec.passive or port == spec.control_port:
            yield _error(
                observed,
                "FTP113",
                "control_port" if port == spec.control_port else "passive_low",
                f"Port {port} is in use on the router itself; through the VIP it would lead to the FTP servers.",
                "Choose a passive range without that port, or stop what listens there.",
            )
    for key in sorted(observed.services):
        kind, _, place = key.partition(" ")
        address, _, digits = place.rpartition(":")
        if kind == "tcp" and address == str(spec.vip) and digits.isdigit() and int(digits) in spec.passive:
            reason = f"Port {digits} of the VIP already belongs to another virtual service."
            yield _error(observed, "FTP114", "passive_low", reason, "Choose a passive range without that port.")


def _error(observed: Observed, code: str, field: str, reason: str, remedy: str) -> Problem:
    return Problem(code, "error", field, f"{observed.router}: {reason}", remedy, observed.router)
