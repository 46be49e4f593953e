"""How keepalived tells that a real server lives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lbftp.core.lint.rule import Rule, error, warning
from lbftp.core.problem import Problem
from lbftp.core.spec import ClusterSpec

_SLOW: Final = 60


def _check(spec: ClusterSpec) -> Iterator[Problem]:
    check = spec.check
    if check.kind == "ftp" and not spec.control_ports:
        yield error(
            "FTP090",
            "check",
            "The login check speaks plain FTP, and every port of the cluster expects TLS from the first byte.",
            "Use the TCP check, or add a control port such as 21.",
        )
    if check.connect_timeout > check.delay_loop:
        yield warning(
            "FTP091",
            "connect_timeout",
            f"The check waits {check.connect_timeout} s for an answer, longer than the {check.delay_loop} s between "
            "two rounds.",
            "Use a time-out shorter than the interval.",
        )
    # Worst case: the server dies just after a round; a second lies between two tries (keepalived.conf(5)).
    slowest = check.delay_loop + (check.retry + 1) * check.connect_timeout + check.retry
    if slowest > _SLOW:
        yield warning(
            "FTP092",
            "delay_loop",
            f"A dead real server may get clients for {slowest} s before it is taken out.",
            "Use a shorter interval, a shorter time-out or fewer tries.",
        )


RULES: Final[tuple[Rule, ...]] = (_check,)
