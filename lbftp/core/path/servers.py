"""What was read of the FTP servers' configurations -> their part of a State. Where they differ,
the worst counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from lbftp.core.ftp.server import FtpServer
from lbftp.core.path.rules import Ports
from lbftp.core.path.state import State

_Value = TypeVar("_Value")

# "Any port that the system gives": from the first one that needs no right.
_ANY: Final = (1024, 65535)


def with_servers(
    state: State,
    servers: Sequence[FtpServer],
    vip: str,
    own: Collection[str],
) -> State:
    """`state` with what `servers` say of the client's control port; as it was where none is for
    that port.

    `own` are the real servers' addresses of the client's IP version.
    """
    here = [one for one in servers if one.control_port == state.server_port]
    if not here:
        return state

    # With NAT packets come to the server's own address, else to the VIP.
    reached = own if state.nat else {vip}

    return replace(
        state,
        passive=_passive(here),
        pasv_address=_told(state, here, vip),
        data_port=_other([one.data_port for one in here], state.data_port),
        passive_on=all(one.passive_on for one in here),
        active_on=all(one.active_on for one in here),
        deaf=_first(_deaf(state, one, reached) for one in here),
        refusal=_first(_refusal(state, one) for one in here),
    )


def _passive(servers: Sequence[FtpServer]) -> Ports:
    """From the lowest port that any of them may choose to the highest."""
    ranges = [one.passive or _ANY for one in servers]
    return Ports(min(low for low, _ in ranges), max(high for _, high in ranges))


def _first(reasons: Iterable[str]) -> str:
    """The first that is one; '' if none is."""
    return next((reason for reason in reasons if reason), "")


def _other(found: Sequence[_Value], wanted: _Value) -> _Value:
    """Of values that differ from what the cluster wants, the first; `wanted` if none does."""
    return next((value for value in found if value != wanted), wanted)


def _told(state: State, servers: Sequence[FtpServer], vip: str) -> str | None:
    """The address in their 227 replies: of those that differ from what the cluster wants, the
    first.
    """
    told: list[str | None] = []
    for one in servers:
        named = "VIP" if one.pasv_address == vip else one.pasv_address
        told.append(named or None)
    return _other(told, state.pasv_address)


def _deaf(state: State, one: FtpServer, reached: Collection[str]) -> str:
    """Why the server does not even listen where the client's packets arrive; '' if it does."""
    if state.ip not in one.families:
        return f"{one.daemon} does not listen over IPv{state.ip}"
    if one.bound and reached and one.bound not in reached:
        return f"{one.daemon} listens at {one.bound} only, and packets do not arrive there"
    return ""


def _refusal(state: State, one: FtpServer) -> str:
    """Why the server has nothing to do with a client of that encryption; '' if it has."""
    if one.tls and one.implicit:
        return "" if state.tls == "implicit" else f"{one.daemon} expects TLS from the first byte"
    if state.tls == "implicit":
        return f"{one.daemon} does not expect TLS from the first byte"
    if state.tls == "explicit":
        return "" if one.tls else f"{one.daemon} offers no TLS"

    only_tls = one.tls and one.tls_required
    return f"{one.daemon} takes sessions with TLS only" if only_tls else ""
