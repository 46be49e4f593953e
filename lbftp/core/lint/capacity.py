"""Whether ports and thresholds are enough for the sessions that the team expects.

One transfer uses one passive port, so the range times the number of real servers bounds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lbftp.core.lint.rule import Rule, be, info, listed, warning
from lbftp.core.problem import Problem
from lbftp.core.spec import ClusterSpec

# Schedulers that give the servers of higher weight more clients.
_BY_WEIGHT: Final = ("wrr", "wlc", "sed", "nq", "sh", "mh")
# A session is a control connection and, while it transfers, a data connection.
_CONNECTIONS: Final = 2


def _ports(spec: ClusterSpec) -> Iterator[Problem]:
    """Concurrent transfers: together, on the busiest server, and when the largest server is away."""
    size, expected = spec.passive.size, spec.expected_sessions
    weights = [s.weight for s in spec.real_servers if s.weight]
    if not weights or not expected:
        return
    if expected > size * len(weights):
        yield warning(
            "FTP073",
            "expected_sessions",
            f"{expected} sessions are expected, and {len(weights)} servers with the range {spec.passive} carry "
            f"{size * len(weights)} transfers at a time.",
            "Widen the range, or add real servers.",
        )
    elif (share := _busiest(spec, weights)) > size:
        yield warning(
            "FTP074",
            "expected_sessions",
            f"About {share} of {expected} expected sessions go to one real server, and the range {spec.passive} "
            f"carries {size} transfers on each.",
            "Widen the range, or level the weights.",
        )
    elif len(weights) > 1 and expected > size * (len(weights) - 1):
        yield info(
            "FTP078",
            "expected_sessions",
            f"While one real server is away, the others carry {size * (len(weights) - 1)} transfers at a time, and "
            f"{expected} sessions are expected.",
            "Widen the range, so that a failure does not also make transfers fail.",
        )


def _busiest(spec: ClusterSpec, weights: list[int]) -> int:
    """Sessions of the server that gets the most."""
    if spec.scheduler == "fo":
        return spec.expected_sessions
    if spec.scheduler in _BY_WEIGHT:
        return -(-spec.expected_sessions * max(weights) // sum(weights))
    return -(-spec.expected_sessions // len(weights))


def _thresholds(spec: ClusterSpec) -> Iterator[Problem]:
    """ipvsadm(8) -x, -y: they count connections, those that have just ended among them."""
    serving = [s for s in spec.real_servers if s.weight]
    bounded = [s for s in serving if s.upper_threshold]
    total = sum(s.upper_threshold for s in bounded)
    if bounded and len(bounded) == len(serving) and total < _CONNECTIONS * spec.expected_sessions:
        yield warning(
            "FTP075",
            "real_servers",
            f"The upper thresholds allow {total} connections together, and {spec.expected_sessions} sessions need "
            f"{_CONNECTIONS * spec.expected_sessions} while they transfer.",
            "Raise the thresholds: new clients above them are refused.",
        )
    if flapping := [s.name for s in bounded if s.lower_threshold == s.upper_threshold]:
        yield info(
            "FTP076",
            "real_servers",
            f"{listed(flapping)} {be(flapping, 'has', 'have')} the same lower and upper threshold, and will be full "
            "and free again with each connection.",
            "Use a lower one well below; with 0 the kernel takes three quarters of the upper one.",
        )
    if bounded and (free := [s.name for s in serving if not s.upper_threshold]):
        yield info(
            "FTP077",
            "real_servers",
            f"{listed(free)} {be(free, 'has', 'have')} no upper threshold and will get all clients when the others are "
            "full.",
            "Give each real server one, or none.",
        )


RULES: Final[tuple[Rule, ...]] = (_ports, _thresholds)
