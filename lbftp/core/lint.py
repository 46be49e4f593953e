"""Rules that a spec must keep for FTP to work, judged from the spec alone. `preflight` judges what routers hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address
from itertools import chain
from typing import Final

from lbftp.core.problem import Problem, Severity
from lbftp.core.spec import ClusterSpec, RouterSpec

# vsftpd.conf(5): idle_session_timeout and data_connection_timeout are 300 s by default.
FTP_IDLE_TIMEOUT: Final = 300
# Linux: net.ipv4.ip_local_port_range.
EPHEMERAL_LOW: Final = 32768

Rule = Callable[[ClusterSpec], Iterator[Problem]]


def lint(spec: ClusterSpec) -> list[Problem]:
    """Every problem of `spec` by itself, errors first, then in the order of the codes."""
    return _sorted(list(chain.from_iterable(rule(spec) for rule in _RULES)))


def lint_others(spec: ClusterSpec, others: Sequence[ClusterSpec]) -> list[Problem]:
    """Problems of `spec` beside the other clusters (of other names) that share a router with it."""
    mine = {r.name for r in spec.routers}
    beside = [o for o in others if o.key != spec.key and mine & {r.name for r in o.routers}]
    return _sorted([p for other in beside for p in _against(spec, other)])


def _sorted(problems: list[Problem]) -> list[Problem]:
    order = {"error": 0, "warning": 1, "info": 2}
    return sorted(problems, key=lambda p: (order[p.severity], p.code, p.router))


def _pair(spec: ClusterSpec) -> Iterator[Problem]:
    if len(spec.routers) != 2:
        yield _error(
            "FTP001", "routers", f"{len(spec.routers)} routers are chosen.", "Choose the two routers of the pair."
        )
    elif spec.routers[0].priority == spec.routers[1].priority:
        yield _error(
            "FTP002",
            "routers",
            "Both routers have the same VRRP priority, so which one is master is left to chance.",
            "Give the router that should be master the higher priority.",
        )


def _servers(spec: ClusterSpec) -> Iterator[Problem]:
    if not spec.real_servers:
        yield _error("FTP003", "real_servers", "No real server is chosen.", "Choose at least one FTP server.")
    elif len(spec.real_servers) == 1:
        yield _note(
            "warning", "FTP004", "real_servers", "There is only one real server.", "Add a second one for redundancy."
        )
    if spec.real_servers and not any(s.weight for s in spec.real_servers):
        yield _error("FTP005", "real_servers", "Every real server has weight 0.", "Give at least one a weight above 0.")


def _networks(spec: ClusterSpec) -> Iterator[Problem]:
    for server in spec.real_servers:
        if server.address not in spec.internal_network:
            yield _error(
                "FTP010",
                "real_servers",
                f"{server.name} ({server.address}) is outside the internal network {spec.internal_network}.",
                "With NAT a real server's answers must come back through the router: use a server of that network, "
                "or correct the network.",
            )
    if spec.floating not in spec.internal_network:
        yield _error(
            "FTP011",
            "floating",
            f"The internal floating address {spec.floating} is outside the internal network {spec.internal_network}.",
            "Give an address of the internal network; real servers use it as their default route.",
        )
    for router in spec.routers:
        yield from _router_networks(spec, router)


def _router_networks(spec: ClusterSpec, router: RouterSpec) -> Iterator[Problem]:
    if spec.vip not in router.public_address.network:
        yield _error(
            "FTP012",
            "vip",
            f"The VIP {spec.vip} is in no network of {router.name}'s public interface {router.public_interface} "
            f"({router.public_address}).",
            "Give an address of that network, or choose the interface that faces the clients.",
            router.name,
        )
    if router.internal_address.ip not in spec.internal_network:
        yield _error(
            "FTP013",
            "internal_network",
            f"{router.name}'s internal interface {router.internal_interface} ({router.internal_address}) is not in the "
            f"internal network {spec.internal_network}.",
            "Correct the internal network, or choose the interface that faces the real servers.",
            router.name,
        )
    if router.public_interface == router.internal_interface:
        yield _error(
            "FTP014",
            "routers",
            f"{router.name} uses {router.public_interface} for the public and the internal side.",
            "NAT needs two interfaces: choose another one for one side.",
            router.name,
        )


def _addresses(spec: ClusterSpec) -> Iterator[Problem]:
    taken: dict[IPv4Address, str] = {s.address: f"real server {s.name}" for s in spec.real_servers}
    for router in spec.routers:
        taken[router.public_address.ip] = taken[router.internal_address.ip] = f"router {router.name}"
    for field, address in (("vip", spec.vip), ("floating", spec.floating)):
        if address in taken:
            yield _error(
                "FTP015",
                field,
                f"{address} already belongs to {taken[address]}.",
                "A floating address moves between the routers: choose one that nobody holds.",
            )
    if spec.vip == spec.floating:
        yield _error("FTP016", "floating", "VIP and internal floating address are the same.", "Give two addresses.")


def _ports(spec: ClusterSpec) -> Iterator[Problem]:
    if spec.control_port in spec.passive:
        yield _error(
            "FTP020",
            "passive_low",
            f"The passive range {spec.passive} covers the control port {spec.control_port}.",
            "Move the range away from the control port.",
        )
    if spec.control_port != 21:
        yield _error(
            "FTP021",
            "control_port",
            f"Control port {spec.control_port}: the helper module watches port 21 only.",
            "Use port 21.",
        )
    if spec.passive.high >= EPHEMERAL_LOW:
        yield _note(
            "info",
            "FTP022",
            "passive_high",
            f"The passive range {spec.passive} meets the range that Linux uses for its own connections "
            f"({EPHEMERAL_LOW} and up).",
            "Keep it below, or reserve it on the FTP servers (net.ipv4.ip_local_reserved_ports).",
        )
    if spec.passive.size < 100 * max(1, len(spec.real_servers)):
        yield _note(
            "warning",
            "FTP023",
            "passive_high",
            f"The passive range {spec.passive} allows {spec.passive.size} transfers at a time on each real server.",
            "One transfer uses one port, for some time after it ended too: widen the range.",
        )


def _persistence(spec: ClusterSpec) -> Iterator[Problem]:
    timeout = spec.persistence_timeout
    if timeout == 0:
        yield _note(
            "warning",
            "FTP030",
            "persistence_timeout",
            "Without persistence only connections that the helper foresees reach the right real server.",
            f"Use at least {FTP_IDLE_TIMEOUT} s.",
        )
    elif timeout < FTP_IDLE_TIMEOUT:
        yield _note(
            "warning",
            "FTP031",
            "persistence_timeout",
            f"Persistence of {timeout} s is shorter than the server's idle time-out (vsftpd: {FTP_IDLE_TIMEOUT} s).",
            f"Use at least {FTP_IDLE_TIMEOUT} s, or data connections of a quiet session may reach another server.",
        )
    elif timeout > 3600:
        yield _note(
            "warning",
            "FTP032",
            "persistence_timeout",
            f"Clients stay with their server for {timeout} s, so draining one takes as long.",
            "An hour or less balances better.",
        )


_RULES: Final[tuple[Rule, ...]] = (_pair, _servers, _networks, _addresses, _ports, _persistence)


def _against(spec: ClusterSpec, other: ClusterSpec) -> Iterator[Problem]:
    if spec.mark == other.mark:
        yield _error(
            "FTP040",
            "mark",
            f"Mark {spec.mark} is already used by the cluster {other.name} on the same routers.",
            "Choose a mark of its own for each cluster: IPVS tells them apart by nothing else.",
        )
    if spec.vip == other.vip:
        yield _error(
            "FTP041", "vip", f"The VIP {spec.vip} already belongs to the cluster {other.name}.", "Choose another VIP."
        )
    if spec.vrrp.vrid == other.vrrp.vrid:
        yield _error(
            "FTP042",
            "vrid",
            f"Virtual router id {spec.vrrp.vrid} is already used by the cluster {other.name} on the same routers.",
            "Choose another one from 1 to 255.",
        )
    if spec.floating == other.floating:
        yield _error(
            "FTP043",
            "floating",
            f"The internal floating address {spec.floating} already belongs to the cluster {other.name}.",
            "Choose another one, and make it the default route of this cluster's real servers.",
        )


def _error(code: str, field: str, reason: str, remedy: str, router: str = "") -> Problem:
    return Problem(code, "error", field, reason, remedy, router)


def _note(severity: Severity, code: str, field: str, reason: str, remedy: str) -> Problem:
    return Problem(code, severity, field, reason, remedy)
