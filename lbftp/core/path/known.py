"""What lbftp knows of a cluster -> State: what its spec promises, and what a router of it really has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final, Literal

from lbftp.core.observe.iptables import Ruleset
from lbftp.core.observe.ipvs import Service, fwmark
from lbftp.core.observe.observed import Observed
from lbftp.core.path.rules import Filter, Line, Names, Packet, Ports, chain, ports_named, run, tracks
from lbftp.core.path.state import DATA, State
from lbftp.core.render import kernel
from lbftp.core.spec import ClusterSpec

# EPSV and EPRT came to ip_vs_ftp with commit d12e12299a69 (read, not measured).
_EXTENDED: Final = (4, 18)


def state_from_spec(spec: ClusterSpec) -> State:
    """What every router of the cluster has once it is applied, with filters that let everything pass."""
    return State(
        mark=spec.mark,
        servers=sum(s.weight > 0 for s in spec.real_servers),
        persistence=spec.persistence_timeout > 0,
        control_port=spec.control_port,
        marked=(Ports(spec.control_port, spec.control_port), Ports(spec.passive.low, spec.passive.high)),
        passive=Ports(spec.passive.low, spec.passive.high),
        helper="ip_vs_ftp" in kernel.MODULES,
    )


def state_from_observed(spec: ClusterSpec, observed: Observed) -> State:
    """What `observed` has now for `spec`. The FTP servers are taken to be as the spec wants them.

    The state is that of the router as if it held the VIP, also on the backup. What could not be read
    (`observed.others`) counts as absent: look there first. Raises KeyError for a router that is not the cluster's.
    """
    names = _names(spec, observed)
    rules = observed.running
    state = replace(
        state_from_spec(spec),
        marked=_marked(spec, rules, names),
        helper="ip_vs_ftp" in observed.modules,
        helper_extended=_version(observed.facts.kernel) >= _EXTENDED,
        source_nat=_source_nat(rules, names),
        conntrack=tracks(rules),
        vs_conntrack=observed.sysctls.get("net.ipv4.vs.conntrack") == "1",
        ip_forward=observed.sysctls.get("net.ipv4.ip_forward") == "1",
        filters=tuple(_filter(rules, name, names) for name in ("INPUT", "FORWARD", "OUTPUT")),
    )
    return _with_service(state, spec, observed)


def _filter(rules: Ruleset, name: str, names: Names) -> Filter:
    policy = "DROP" if rules.policy("filter", name) == "DROP" else "ACCEPT"
    return Filter(name, policy, chain(rules, "filter", name, names))


def _with_service(state: State, spec: ClusterSpec, observed: Observed) -> State:
    """The mark's service goes before one for the VIP itself (ip_vs_service_find in ip_vs_ctl.c)."""
    if service := observed.services.get(fwmark(spec.mark)):
        return _serving(replace(state, service="fwmark"), service)
    if service := observed.services.get(f"tcp {spec.vip}:{spec.control_port}"):
        return _serving(replace(state, service="port"), service)
    return replace(state, service="none")


def _serving(state: State, service: Service) -> State:
    used = [d for d in service.destinations if d.weight > 0]
    method = next((d.method for d in used), "NAT")
    return replace(
        state,
        servers=len(used),
        persistence=service.persistence > 0,
        method="DR" if method == "DR" else "TUN" if method == "TUN" else "NAT",
        real_port=next((d.port for d in used if d.port), 0) if method == "NAT" else 0,
    )


def _names(spec: ClusterSpec, observed: Observed) -> Names:
    router = spec.router(observed.router)
    return Names(
        addresses={
            "vip": (spec.vip,),
            "router": (router.public_address.ip, router.internal_address.ip),
            "server": tuple(s.address for s in spec.real_servers),
        },
        interfaces={"public": router.public_interface, "internal": router.internal_interface},
    )


def _marked(spec: ClusterSpec, rules: Ruleset, names: Names) -> tuple[Ports, ...]:
    """The VIP's ports that leave mangle PREROUTING with the cluster's mark, whichever rules and chains do it."""
    lines = chain(rules, "mangle", "PREROUTING", names)
    starts = sorted({0, 65536} | {n for p in ports_named(lines, "dport") for n in (p.low, p.high + 1) if n < 65536})
    found: list[Ports] = []
    for low, following in pairwise(starts):
        if not _gets(lines, low, spec.mark):
            continue
        if found and found[-1].high + 1 == low:
            low = found.pop().low  # noqa: PLW2901 - one range with the one before
        found.append(Ports(low, following - 1))
    return tuple(found)


def _gets(lines: Sequence[Line], port: int, mark: int) -> bool:
    packet, _ = run(lines, Packet("client", 40000, "vip", port, inward="public"))
    return packet.mark == mark


def _source_nat(rules: Ruleset, names: Names) -> Literal["", "MASQUERADE", "SNAT"]:
    """What nat POSTROUTING does to a server's own connection from port 20."""
    packet = Packet("server", DATA, "client", 40001, outward="public")
    _, end = run(chain(rules, "nat", "POSTROUTING", names), packet)
    if end is not None and end.target == "SNAT":
        return "SNAT"
    return "MASQUERADE" if end is not None and end.target == "MASQUERADE" else ""


def _version(text: str) -> tuple[int, ...]:
    """(major, minor) of a kernel; a version that cannot be read counts as new."""
    found = re.match(r"([0-9]{1,4})\.([0-9]{1,4})", text)
    return (int(found[1]), int(found[2])) if found else _EXTENDED
