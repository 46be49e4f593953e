"""Who gets the next client: schedulers, weights, quorum and the sorry server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lbftp.core.lint.rule import Rule, error, info, listed, warning
from lbftp.core.problem import Problem
from lbftp.core.spec import ClusterSpec, Side

_ONE_SERVER: Final = ("dh", "lblc", "lblcr")
_BLIND: Final = ("rr", "lc")
_BY_SOURCE: Final = ("sh", "mh")
# With ovf the weight is a number of connections; below this it cannot be meant so.
_FEW: Final = 10


def _scheduler(spec: ClusterSpec) -> Iterator[Problem]:
    weights = [s.weight for s in spec.real_servers if s.weight]
    if spec.scheduler in _ONE_SERVER:
        yield warning(
            "FTP060",
            "scheduler",
            f"{spec.scheduler} chooses by destination address and is meant for caches: all clients of one VIP go to "
            "the same real server.",
            "Use wlc, or sh to choose by the client's address.",
        )
    if spec.scheduler == "fo" and len(weights) > 1:
        yield info(
            "FTP061",
            "scheduler",
            f"fo sends every client to the one server of the highest weight ({max(weights)}); the others stand by.",
            "Use wlc if all of them are to work.",
        )
    if spec.scheduler == "ovf" and weights and max(weights) < _FEW:
        yield warning(
            "FTP062",
            "scheduler",
            f"With ovf a server is filled up to its weight in connections before the next one, here {max(weights)}.",
            "Give weights in connections (two or more for each session), or use wlc.",
        )
    if spec.scheduler in _BLIND and len(set(weights)) > 1:
        yield warning(
            "FTP065",
            "scheduler",
            f"{spec.scheduler} pays no attention to weights, and the real servers' differ.",
            f"Use w{spec.scheduler}.",
        )


def _by_source(spec: ClusterSpec) -> Iterator[Problem]:
    if spec.scheduler not in _BY_SOURCE:
        return
    port, fallback = (f"{spec.scheduler}-{word}" in spec.scheduler_flags for word in ("port", "fallback"))
    if port and not spec.persistence_timeout:
        yield warning(
            "FTP064",
            "scheduler_flags",
            f"{spec.scheduler}-port chooses by the client's port too, and each data connection has another one.",
            "Leave the option out, or set a persistence time-out.",
        )
    elif spec.persistence_timeout:
        yield info(
            "FTP063",
            "scheduler",
            f"{spec.scheduler} keeps a client's address with one server already; persistence decides before it.",
            "Nothing to do; after a change of servers persistence holds running clients, the scheduler does not.",
        )
    leaving = spec.inhibit_on_failure or any(
        (s.weight == 0 and not s.disabled) or s.upper_threshold for s in spec.real_servers
    )
    if leaving and not fallback:
        yield warning(
            "FTP066",
            "scheduler_flags",
            f"Where {spec.scheduler} arrives at a server of weight 0 or above its threshold, the client is refused.",
            f"Add {spec.scheduler}-fallback, so that it takes another one.",
        )


def _quorum(spec: ClusterSpec) -> Iterator[Problem]:
    """keepalived.conf(5): the quorum is a sum of weights; `keepalived -t` complains about one beyond reach."""
    for side in spec.sides:
        weights = [s.weight for s in spec.servers(side.family)]
        total = sum(weights)
        if spec.quorum > total and total:
            yield error(
                "FTP067",
                "quorum",
                f"The quorum {spec.quorum} is above the weight of all IPv{side.family} real servers, {total}.",
                f"Use a quorum from 1 to {total}, or raise the weights.",
            )
        elif spec.sorry_server.at(side.family) and 0 < total - max(weights, default=0) < spec.quorum:
            yield warning(
                "FTP072",
                "quorum",
                f"If one server fails, {total - max(weights)} of weight {total} may be left, less than the quorum "
                f"{spec.quorum}: the sorry server then gets all clients, though others live.",
                "Lower the quorum, to 1 if every living server is to be used.",
            )
        elif spec.quorum > 1 and not spec.sorry_server.at(side.family):
            yield info(
                "FTP068",
                "quorum",
                f"Without an IPv{side.family} sorry server keepalived only logs that the quorum is lost.",
                "Name a sorry server, or leave the quorum at 1.",
            )


def _sorry(spec: ClusterSpec) -> Iterator[Problem]:
    for side in spec.sides:
        sorry = spec.sorry_server.at(side.family)
        if sorry is None:
            continue
        if who := _holder(spec, side):
            yield error(
                "FTP069",
                "sorry_server",
                f"The sorry server {sorry} is {who}.",
                "Give the address of another FTP server, which tells clients to come back later.",
            )
        if spec.nat and side.network is not None and sorry not in side.network:
            yield error(
                "FTP071",
                "sorry_server",
                f"The sorry server {sorry} is outside the internal network {side.network}, and with NAT its answers "
                "must come back through the router.",
                "Use a server of that network.",
            )


def _holder(spec: ClusterSpec, side: Side) -> str:
    sorry = spec.sorry_server.at(side.family)
    for server in spec.servers(side.family):
        if server.at(side.family) == sorry:
            return f"the real server {server.name}"
    for router in spec.routers:
        if sorry in {i.ip for i in (router.public(side.family), router.internal(side.family)) if i is not None}:
            return f"the router {router.name}"
    return "a floating address of the cluster" if sorry in (side.vip, side.floating) else ""


def _sorry_families(spec: ClusterSpec) -> Iterator[Problem]:
    mine = {side.family for side in spec.sides}
    given = {family for family, a in ((4, spec.sorry_server.address), (6, spec.sorry_server.address6)) if a is not None}
    if given and given != mine:
        reasons = [f"there is none for IPv{family}" for family in sorted(mine - given)]
        reasons += [f"the IPv{family} one has no VIP" for family in sorted(given - mine)]
        yield warning(
            "FTP070",
            "sorry_server",
            f"The sorry server does not fit the cluster's IP versions: {listed(reasons)}.",
            "Give it an address for each IP version in which the cluster has a VIP.",
        )


RULES: Final[tuple[Rule, ...]] = (_scheduler, _by_source, _quorum, _sorry, _sorry_families)
