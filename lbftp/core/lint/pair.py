"""Routers and real servers: enough of them, told apart, and able to take clients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from lbftp.core.lint.rule import Rule, error, listed, warning
from lbftp.core.problem import Problem
from lbftp.core.spec import ClusterSpec


def _routers(spec: ClusterSpec) -> Iterator[Problem]:
    if len(spec.routers) != 2:
        there = len(spec.routers)
        reason = f"{there} router{' is' if there == 1 else 's are'} chosen."
        yield error("FTP001", "routers", reason, "Choose the two routers of the pair.")
    elif spec.routers[0].priority == spec.routers[1].priority:
        yield error(
            "FTP002",
            "routers",
            "Both routers have the same VRRP priority, so which one is master is left to chance.",
            "Give the router that should be master the higher priority.",
        )


def _servers(spec: ClusterSpec) -> Iterator[Problem]:
    if not spec.real_servers:
        yield error("FTP003", "real_servers", "No real server is chosen.", "Choose at least one FTP server.")
    elif len(spec.real_servers) == 1:
        yield warning("FTP004", "real_servers", "There is only one real server.", "Add a second one for redundancy.")


def _weights(spec: ClusterSpec) -> Iterator[Problem]:
    """Per IP version, since each has a virtual service of its own."""
    empty = [
        s.family for s in spec.sides if spec.servers(s.family) and not any(r.weight for r in spec.servers(s.family))
    ]
    if empty:
        which = "" if len(empty) == len(spec.sides) else f" with an IPv{empty[0]} address"
        yield error(
            "FTP005",
            "real_servers",
            f"Every real server{which} has weight 0, so no client gets a server.",
            "Give at least one a weight above 0.",
        )
    serving = [s for s in spec.real_servers if s.weight]
    if len(serving) == 1 and len(spec.real_servers) > 1:
        yield warning(
            "FTP007",
            "real_servers",
            f"Of {len(spec.real_servers)} real servers only {serving[0].name} has a weight above 0.",
            "Give a second one a weight above 0 as soon as it may take clients again.",
        )


def _names(spec: ClusterSpec) -> Iterator[Problem]:
    """Findings, runs and graphs name machines by these names alone."""
    names = [r.name for r in spec.routers] + [s.name for s in spec.real_servers]
    count = Counter(name.lower() for name in names)
    doubled = sorted({name for name in names if count[name.lower()] > 1})
    if doubled:
        yield warning(
            "FTP006",
            "real_servers",
            f"Two machines of the cluster are called alike: {listed(doubled)}.",
            "Give each router and real server a name that differs in more than capital letters.",
        )


RULES: Final[tuple[Rule, ...]] = (_routers, _servers, _weights, _names)
