"""Free ports of this computer for the hosts' SSH."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterable

# Below the range from which Linux takes ports for outgoing connections.
RANGE = range(20000, 32000)


def choose(names: Iterable[str], wanted: dict[str, int]) -> dict[str, int]:
    """`wanted` with a free port for each of the names: the wanted one if it is free (people have noted it).

    Ports of other names stay as they are.
    """
    names = set(names)
    chosen = {name: port for name, port in wanted.items() if name not in names}
    for name in sorted(names):
        port = wanted.get(name)
        while port is None or port in chosen.values() or not is_free(port):
            port = secrets.choice(RANGE)
        chosen[name] = port
    return chosen


def is_free(port: int) -> bool:
    """Whether nobody listens on 127.0.0.1 at that port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
