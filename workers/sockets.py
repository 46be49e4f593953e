"""The way to a machine: its name is looked up once, each address is judged, and the connection goes to a judged one."""

from __future__ import annotations

import os
import socket
from typing import Final

from lbftp.core.enrolment import REMEDY, blocking_reason, is_allowed, networks
from workers.errors import Unreachable

_SETTING: Final = "LBFTP_ENROL_NETWORKS"


def opened(name: str, address: str, port: int, seconds: float) -> socket.socket:
    """A connection to `address`, which may be a host name. Raises Unreachable where it leads to what is not enrolled,
    OSError where nothing answers."""
    allowed = networks(os.environ.get(_SETTING, ""))
    found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)
    for *_, place in found:
        given = str(place[0]).partition("%")[0]
        if is_allowed(given, allowed):
            continue
        # One bad answer is enough: whoever answers for this name may give another one to the next question.
        if reason := blocking_reason(given) or _own(given):
            raise Unreachable(f"{name}: {address} leads where no machine is enrolled, and nothing was sent. {reason}")

    error: OSError | None = None
    for family, kind, protocol, _, place in found:
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(seconds)
        try:
            connection.connect(place)
        except OSError as failed:
            connection.close()
            error = failed
        else:
            return connection
    raise error or OSError("it has no address")


def _own(address: str) -> str:
    """Whether it is an address of this host: only those can be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind((address, 0))
        except OSError:
            return ""
    return f"{address} is this host itself. {REMEDY}"
