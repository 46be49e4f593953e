"""Persistence: a client stays with its real server for a while (ipvsadm(8) -p)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lbftp.core.ftp.parts import FTP_IDLE_TIMEOUT
from lbftp.core.lint.rule import Rule, be, error, info, listed, warning
from lbftp.core.problem import Problem
from lbftp.core.spec import ClusterSpec

_LONG: Final = 3600


def _timeout(spec: ClusterSpec) -> Iterator[Problem]:
    timeout = spec.persistence_timeout
    if timeout == 0:
        yield from _none(spec)
    elif timeout < FTP_IDLE_TIMEOUT:
        yield warning(
            "FTP031",
            "persistence_timeout",
            f"Persistence of {timeout} s is shorter than the server's idle time-out (vsftpd: {FTP_IDLE_TIMEOUT} s).",
            f"Use at least {FTP_IDLE_TIMEOUT} s, or data connections of a quiet session may reach another server.",
        )
    elif timeout > _LONG:
        yield warning(
            "FTP032",
            "persistence_timeout",
            f"Clients stay with their server for {timeout} s, so draining one takes as long.",
            "An hour or less balances better.",
        )


def _none(spec: ClusterSpec) -> Iterator[Problem]:
    """Truth 4: without persistence and helper, data connections land on another real server."""
    if spec.mode == "advertise":
        yield error(
            "FTP033",
            "persistence_timeout",
            "Without persistence nothing brings a data connection to the server that waits for it: in advertise mode "
            "passive transfers are refused.",
            f"Use at least {FTP_IDLE_TIMEOUT} s.",
        )
    else:
        yield warning(
            "FTP030",
            "persistence_timeout",
            "Without persistence only connections that the helper foresees reach the right real server.",
            f"Use at least {FTP_IDLE_TIMEOUT} s.",
        )


def _granularity(spec: ClusterSpec) -> Iterator[Problem]:
    granted = ((4, "persistence_granularity", spec.persistence_granularity, 24, 32),
               (6, "persistence_granularity6", spec.persistence_granularity6, 64, 128))  # fmt: skip
    mine = {side.family for side in spec.sides}
    for family, field, bits, coarsest, one_client in granted:
        if family in mine and bits < one_client and not spec.persistence_timeout:
            yield info(
                "FTP035",
                field,
                f"The granularity /{bits} does nothing without persistence.",
                "Set a persistence time-out, or leave the granularity as it was.",
            )
        elif family in mine and bits < coarsest:
            yield warning(
                "FTP034",
                field,
                f"All clients of one /{bits} network count as one and share a real server, so a large provider or "
                "office lands on a single one.",
                f"Use /{coarsest} or finer.",
            )


def _leaving(spec: ClusterSpec) -> Iterator[Problem]:
    """A drained server keeps its clients, unless net.ipv4.vs.expire_quiescent_template is 1."""
    if spec.inhibit_on_failure and spec.persistence_timeout:
        yield warning(
            "FTP036",
            "inhibit_on_failure",
            "A failed real server stays in with weight 0, and persistence goes on sending it the clients it had "
            f"(for up to {spec.persistence_timeout} s each).",
            "Turn it off, so that a failed server is taken out, or set net.ipv4.vs.expire_quiescent_template=1.",
        )
    idle = [s.name for s in spec.real_servers if s.weight == 0 and not s.disabled]
    if idle and len(idle) < len(spec.real_servers) and spec.persistence_timeout:
        yield info(
            "FTP037",
            "real_servers",
            f"{listed(idle)} {be(idle, 'has', 'have')} weight 0 and {be(idle, 'keeps', 'keep')} known clients as long "
            f"as they come back within {spec.persistence_timeout} s.",
            "Wait that long after the last session before the server is switched off.",
        )


RULES: Final[tuple[Rule, ...]] = (_timeout, _granularity, _leaving)
