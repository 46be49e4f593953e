"""What was read of the FTP servers' configurations -> their part of a State. Where they differ, the worst counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lbftp.core.observe.ftpd import FtpServer
from lbftp.core.path.rules import Ports
from lbftp.core.path.state import State

# "Any port that the system gives": from the first one that needs no right.
_ANY: Final = (1024, 65535)


def with_servers(state: State, servers: Sequence[FtpServer], vip: str) -> State:
    """`state` with what `servers` say of the client's control port; as it was where none serves that port."""
    here = [one for one in servers if one.control_port == state.server_port]
    if not here:
        return state
    ranges = [one.passive or _ANY for one in here]
    return replace(
        state,
        passive=Ports(min(low for low, _ in ranges), max(high for _, high in ranges)),
        pasv_address=_told(state, here, vip),
        data_port=next((one.data_port for one in here if one.data_port != state.data_port), state.data_port),
        tls_offered=all(one.tls for one in here),
        passive_on=all(one.passive_on for one in here),
        active_on=all(one.active_on for one in here),
    )


def _told(state: State, servers: Sequence[FtpServer], vip: str) -> str | None:
    """The address in their 227 replies: of those that differ from what the cluster wants, the first."""
    told = ["VIP" if one.pasv_address == vip else one.pasv_address or None for one in servers]
    return next((address for address in told if address != state.pasv_address), state.pasv_address)
