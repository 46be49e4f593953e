"""What systemd is told by a process that it started: ready, alive (sd_notify(3)). Nothing where it did not start us.

Standard library only, so that the starter of a site (ops) uses it as well.
"""

from __future__ import annotations

import os
import socket


def notify(*lines: str) -> bool:
    """Sends e.g. "READY=1" or "WATCHDOG=1" to $NOTIFY_SOCKET. False if there is none, or nobody takes it."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    # systemd.exec(5): a leading @ stands for the NUL of an abstract name.
    name = f"\0{address[1:]}" if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.setblocking(False)
            channel.sendto("\n".join(lines).encode(), name)
    except OSError:
        return False
    return True
