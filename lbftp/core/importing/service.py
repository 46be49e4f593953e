"""Marks, virtual services and real servers -> the fields of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from lbftp.core import ours
from lbftp.core.importing.seen import Candidate, Seen
from lbftp.core.importing.values import Found
from lbftp.core.observe.ipvs import Service
from lbftp.core.observe.keepalived.records import Check, RealServer, VirtualServer
from lbftp.core.ours import INCLUDE_DIR
from lbftp.core.spec import FAMILIES, Family
from lbftp.core.spec.values import HOST_NAME

_V6: Final = {4: "", 6: "6"}
# keepalived.conf(5): a mark service is TCP and UDP alike, and we add none of these either.
_SILENT: Final = frozenset({"protocol"})
_IMPLICIT: Final = 990


def take_marks(found: Found, seen: Seen, candidate: Candidate) -> None:
    """VIPs, control ports, passive range and mark, from the rules; for a service by port, from its head."""
    services = candidate.services
    for family in FAMILIES:
        rules = [m.address for m in candidate.markings if m.family == family and m.address]
        heads = [s.address for s in services if s.address is not None and s.family == family]
        instances = [i for i in seen.meaning.instances if found.own and i.name == ours.public_instance(found.name)]
        moved = [a.address.ip for i in instances for a in i.addresses if a.address.version == family]
        vips = list(dict.fromkeys([*rules, *heads] or moved))
        found.fields[f"vip{_V6[family]}"] = str(vips[0]) if vips else None
        for other in vips[1:]:
            found.leave(f"the second VIP {other}", f"a cluster has one VIP of an IP version: {vips[0]} is taken")
    if candidate.mark is not None:
        found.fields["mark"] = candidate.mark
    _ports(found, seen, candidate)
    for marking in candidate.markings:
        if marking.conditions:
            found.leave(f"{marking.place}: {marking.text}", "it has conditions that lbftp's rule will not have")
    for marking in (*candidate.markings, *candidate.saved):
        if not marking.own:
            found.blocked(marking.place, marking.text, f"lbftp sets mark {marking.mark} by its own rules")


def _ports(found: Found, seen: Seen, candidate: Candidate) -> None:
    ports, ranges = list(candidate.singles), list(candidate.ranges)
    ports = ports or [s.port for s in candidate.services if s.port]
    known = {21, _IMPLICIT} | seen.helper_ports
    unprivileged = [p for p in ports if p >= 1024 and p not in known]
    if not ranges and len(ports) > 1 and unprivileged:
        # A range of one port is written like a single one; our rules have it last.
        ranges = [(unprivileged[-1], unprivileged[-1])]
        ports.remove(unprivileged[-1])
    data = {p for p in ports if p + 1 in ports and p + 1 in known}
    if data:
        found.guess("active", "masquerade")
    control = [p for p in ports if p not in data]
    found.fields["implicit_ports"] = [p for p in control if p == _IMPLICIT]
    if control:
        found.fields["control_ports"] = [p for p in control if p != _IMPLICIT]
    if not ranges:
        found.leave("passive range", "no rule marks one: the guide's 10000-20000 is proposed; compare the FTP servers'")
        return
    low, high = max(ranges, key=lambda r: r[1] - r[0])
    found.fields["passive"] = {"low": max(low, 1024), "high": high}
    for other in ranges:
        if other != (low, high):
            found.leave(f"passive range {other[0]}-{other[1]}", f"a cluster has one: {low}-{high} is taken")


def take_services(found: Found, candidate: Candidate) -> None:
    """The service's own settings and its real servers: of keepalived's files, else of the kernel."""
    services = sorted(candidate.services, key=lambda s: s.family)
    if not services:
        _from_kernel(found, candidate.kernel)
        return
    for index, service in enumerate(services):
        values = _values(service)
        for name, value in values.items():
            if index and found.fields.get(name, value) != value:
                found.leave(f"{name} {value} over IPv{service.family}", "both IP versions have one: IPv4's is taken")
            else:
                found.fields[name] = value
        _leave_service(found, service)
    found.fields["check"] = _check(found, services)
    found.fields["inhibit_on_failure"] = any(s.inhibit or any(r.inhibit for r in s.real_servers) for s in services)
    found.fields["real_servers"] = _servers(found, [(s.family, r) for s in services for r in s.real_servers])
    found.fields["sorry_server"] = {f"address{_V6[s.family]}": str(s.sorry) if s.sorry else None for s in services}


def _values(service: VirtualServer) -> dict[str, Any]:
    values: dict[str, Any] = {
        "forwarding": service.method,
        "scheduler": service.scheduler,
        "scheduler_flags": list(service.flags),
        "persistence_timeout": service.persistence,
        "quorum": service.quorum,
    }
    if service.granularity is not None:
        values[f"persistence_granularity{_V6[service.family]}"] = service.granularity
    return values


def _leave_service(found: Found, service: VirtualServer) -> None:
    block = service.block
    others = (*service.others, *(o for r in service.real_servers for o in r.others))
    found.unknown((o for o in others if o.name not in _SILENT), "a virtual or real server")
    for server in service.real_servers:
        if server.port and service.mark is not None:
            why = "in a mark service every packet would go to that port, data connections too: lbftp gives none"
            found.leave(f"port {server.port} of {server.block.text}", why, server.block.file, server.block.line)
        if server.method and server.method != service.method:
            why = f"a cluster forwards in one way: {service.method}"
            found.leave(f"{server.method} of {server.block.text}", why, server.block.file, server.block.line)
    if service.kind == "address":
        why = "a service by address and port carries no passive connection of its own: a mark service is proposed"
        found.leave(block.text, why, block.file, block.line)
    if service.kind == "group":
        why = "its other addresses and marks are not taken over"
        found.leave(f"virtual_server_group {service.group}", why, block.file, block.line)
    if not block.file.startswith(f"{INCLUDE_DIR}/"):
        found.blocked(f"{block.file}:{block.line}", block.text, "lbftp makes a virtual service of the same clients")


def _check(found: Found, services: Sequence[VirtualServer]) -> dict[str, Any]:
    """Of the first real server that has one; what others have differently is left over."""
    checks = [(s, r, c) for s in services for r in s.real_servers for c in r.checks]
    for _, server, check in checks:
        _leave_check(found, server, check)
    if not checks:
        found.leave("health checks", "there are none: a connection to the control port is proposed (TCP_CHECK)")
        return {"kind": "tcp"}
    service, _, first = checks[0]
    kind = "ftp" if first.misc_path.startswith(f"{INCLUDE_DIR}/") else "tcp"
    for _, server, check in checks[1:]:
        if (check.kind, check.connect_timeout, check.retry) != (first.kind, first.connect_timeout, first.retry):
            place = check.block
            found.leave(
                f"{check.kind} of {server.block.text}", "the first server's check is taken", place.file, place.line
            )
    return {
        "kind": kind,
        "delay_loop": service.delay_loop,
        # keepalived.conf(5): 5 seconds and one more try, unless something is said.
        "connect_timeout": _first(first.connect_timeout, service.connect_timeout, 5),
        "retry": _first(first.retry, service.retry, 1),
    }


def _leave_check(found: Found, server: RealServer, check: Check) -> None:
    place = check.block
    if check.kind != "TCP_CHECK" and not check.misc_path.startswith(f"{INCLUDE_DIR}/"):
        why = "lbftp checks by a connection (TCP_CHECK) or by a login with a script of its own: TCP_CHECK is proposed"
        found.leave(f"{check.kind} of {server.block.text}", why, place.file, place.line)
        return
    ports = {*found.fields.get("control_ports", [21]), *found.fields.get("implicit_ports", [])}
    if check.connect_port is not None and check.connect_port not in ports:
        found.leave(f"connect_port {check.connect_port}", "lbftp checks a control port", place.file, place.line)
    found.unknown(check.others, f"a {check.kind}")


def _first(*values: int | None) -> int:
    return next(v for v in values if v is not None)


def _servers(found: Found, listed: list[tuple[Family, RealServer]]) -> list[dict[str, Any]]:
    """One entry a machine. Over both IP versions a machine is known by its name, else by its place in the list."""
    found4 = [r for family, r in listed if family == 4]
    found6 = [r for family, r in listed if family == 6]
    nameless = not any(_name(r) for _, r in listed)
    pairs = nameless and len(found4) == len(found6) > 0
    if pairs:
        found.leave("real servers", "IPv4 and IPv6 addresses are paired in the order in which they stand: compare")
    entries: dict[str, dict[str, Any]] = {}
    for family, servers in ((4, found4), (6, found6)):
        for number, server in enumerate(servers, 1 if pairs or family == 4 else len(found4) + 1):
            name = _name(server) or _free(f"ftp{number}", entries, pairs)
            _add(found, entries.setdefault(name, {"name": name}), family, server)
    return list(entries.values())


def _name(server: RealServer) -> str:
    return server.name if HOST_NAME.fullmatch(server.name) else ""


def _free(name: str, taken: dict[str, Any], shared: bool) -> str:
    while name in taken and not shared:
        name += "x"
    return name


def _add(found: Found, entry: dict[str, Any], family: int, server: RealServer) -> None:
    entry[f"address{_V6[family]}"] = str(server.address) if server.address else None
    values = {"weight": server.weight, "upper_threshold": server.upper, "lower_threshold": server.lower}
    for name, value in values.items():
        if entry.setdefault(name, value) != value:
            place = server.block
            found.leave(f"{name} {value} of {place.text}", "IPv4's is taken", place.file, place.line)


def _from_kernel(found: Found, kernel: Sequence[Service]) -> None:
    """A service that ipvsadm made: checks and names are nowhere."""
    if not kernel:
        found.leave("virtual service", "nothing serves the mark: neither keepalived's files nor the kernel have it")
        return
    first = kernel[0]
    found.fields |= {
        "scheduler": first.scheduler,
        "scheduler_flags": list(first.flags),
        "persistence_timeout": first.persistence,
        "forwarding": first.destinations[0].method if first.destinations else "NAT",
    }
    entries: dict[str, dict[str, Any]] = {}
    for service in kernel:
        family = 6 if service.key.endswith(" v6") else 4
        if service.granularity:
            found.fields[f"persistence_granularity{_V6[family]}"] = service.granularity
        for number, server in enumerate(service.destinations, 1):
            entry = entries.setdefault(f"ftp{number}", {"name": f"ftp{number}", "weight": server.weight})
            entry[f"address{_V6[family]}"] = server.address
            entry |= {"upper_threshold": server.upper, "lower_threshold": server.lower}
        why = "keepalived's files do not have it: lbftp's would, and would meet this one"
        found.blocked("ipvsadm", f"the service {service.key}", why)
    found.fields["real_servers"] = list(entries.values())
