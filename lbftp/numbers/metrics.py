"""The numbers in the text format of Prometheus, version 0.0.4: a page of rules, so no library is brought in for it.

What a router said too long ago is left out, so that a gap is a gap there as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from lbftp.core.measures import ServerMeasures
from lbftp.numbers.present import Present

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
Rows = Iterator[tuple[Mapping[str, str], int]]
_ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


@dataclass(frozen=True, slots=True)
class _Family:
    """One measure. `rows` gives labels and values of one cluster."""

    name: str
    kind: str
    says: str
    rows: Callable[[Present], Rows]


def text(clusters: Sequence[Present]) -> str:
    return "".join(line for family in _FAMILIES for line in _lines(family, clusters))


def _lines(family: _Family, clusters: Sequence[Present]) -> Iterator[str]:
    yield f"# HELP {family.name} {family.says}\n# TYPE {family.name} {family.kind}\n"
    for one in clusters:
        mine = {"team": one.cluster.team.name, "cluster": one.cluster.name}
        for labels, value in family.rows(one):
            pairs = ",".join(f'{name}="{word.translate(_ESCAPES)}"' for name, word in {**mine, **labels}.items())
            yield f"{family.name}{{{pairs}}} {value}\n"


def _state(one: Present) -> Rows:
    for state in type(one.cluster).State.values:
        yield {"state": state}, int(one.cluster.state == state)


def _range(one: Present) -> Rows:
    if one.spec:
        yield {}, one.spec.passive.size


def _answers(one: Present) -> Rows:
    for router in one.routers:
        yield {"router": router.name}, int(router.measures is not None)


def _answered(one: Present) -> Rows:
    for router in one.routers:
        if router.answered_at:
            yield {"router": router.name}, round(router.answered_at.timestamp())


def _master(one: Present) -> Rows:
    for router in one.routers:
        if router.measures:
            yield {"router": router.name}, int(router.measures.master)


def _conntrack(place: int) -> Callable[[Present], Rows]:
    def rows(one: Present) -> Rows:
        for router in one.routers:
            if router.measures and router.measures.conntrack:
                yield {"router": router.name}, router.measures.conntrack[place]

    return rows


def _server(
    get: Callable[[ServerMeasures], int | None],
) -> Callable[[Present], Rows]:
    def rows(one: Present) -> Rows:
        for router in one.routers:
            for server in router.measures.servers if router.measures else ():
                if (value := get(server)) is not None:
                    yield {"router": router.name, "server": server.name}, value

    return rows


def _total(name: str) -> Callable[[Present], Rows]:
    """A counter of IPVS; a server that is not in IPVS has none."""
    return _server(lambda server: None if server.weight is None else getattr(server.total, name))


_FAMILIES: Final = (
    _Family("lbftp_cluster_state", "gauge", "1 for the state that the cluster is in.", _state),
    _Family("lbftp_passive_ports", "gauge", "Passive ports that each real server has.", _range),
    _Family("lbftp_router_answers", "gauge", "1 if the router gave its live numbers lately.", _answers),
    _Family("lbftp_router_answered_timestamp_seconds", "gauge", "When the router answered last.", _answered),
    _Family("lbftp_vip_held", "gauge", "1 if the router holds the cluster's virtual addresses.", _master),
    _Family("lbftp_conntrack_entries", "gauge", "Connections that the router tracks.", _conntrack(0)),
    _Family("lbftp_conntrack_limit", "gauge", "Connections that the router can track.", _conntrack(1)),
    _Family(
        "lbftp_server_in_rotation", "gauge", "1 if IPVS has the server.", _server(lambda s: int(s.weight is not None))
    ),
    _Family("lbftp_server_weight", "gauge", "The server's weight in IPVS.", _server(attrgetter("weight"))),
    _Family("lbftp_server_active_connections", "gauge", "Active connections.", _server(attrgetter("active"))),
    _Family("lbftp_server_inactive_connections", "gauge", "Connections that end.", _server(attrgetter("inactive"))),
    _Family("lbftp_server_sessions", "gauge", "Open control connections.", _server(attrgetter("sessions"))),
    _Family("lbftp_server_passive_ports_used", "gauge", "Passive ports in use.", _server(attrgetter("passive"))),
    _Family("lbftp_server_held_clients", "gauge", "Clients that persistence holds.", _server(attrgetter("held"))),
    _Family("lbftp_server_connections_total", "counter", "Connections given to it.", _total("connections")),
    _Family("lbftp_server_in_bytes_total", "counter", "Bytes from clients.", _total("in_bytes")),
    _Family("lbftp_server_out_bytes_total", "counter", "Bytes to clients.", _total("out_bytes")),
    _Family("lbftp_server_in_packets_total", "counter", "Packets from clients.", _total("in_packets")),
    _Family("lbftp_server_out_packets_total", "counter", "Packets to clients.", _total("out_packets")),
)
