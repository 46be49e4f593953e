"""What foreign programs may have in a packet filter before ours comes, and how what a kernel prints is compared."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# `make test-long` tries many more.
LONG = os.environ.get("LBFTP_LONG") == "1"


def tries(quick: int, long: int) -> settings:
    """Hypothesis with real programs behind it: so many examples, however long each takes."""
    return settings(
        max_examples=long if LONG else quick,
        deadline=None,
        database=None,
        derandomize=not LONG,
        suppress_health_check=list(HealthCheck),
    )


_EMPTY = """*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -i pub9 -m comment --comment "partner's \\"own\\" table" -j MARK --set-xmark 0x64/0xff
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A POSTROUTING ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
COMMIT
"""
# Nothing is dropped; the policy drops; a last rule does; a chain that everything is sent to does.
FILTERS = {
    "open": """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p tcp -m multiport --dports 22,80 -j ACCEPT
COMMIT
""",
    "policy": """*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT DROP [0:0]
:DOCKER-USER - [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -j DOCKER-USER
-A DOCKER-USER -j RETURN
COMMIT
""",
    "last rule": """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m comment --comment "everything else" -j REJECT
-A FORWARD -j REJECT
COMMIT
""",
    "last chain": """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:last - [0:0]
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -j last
-A last -m limit --limit 3/min -j LOG --log-prefix "-j lost "
-A last -j DROP
COMMIT
""",
}
DROPPING = {
    "open": set(),
    "policy": {"INPUT", "FORWARD", "OUTPUT"},
    "last rule": {"INPUT", "FORWARD"},
    "last chain": {"INPUT"},
}


def foreign(name: str) -> str:
    """Input for iptables-restore that leaves nothing else behind."""
    return _EMPTY + FILTERS[name]


def plain(listing: str) -> str:
    """A listing without the lines that tell the time."""
    return "".join(line for line in listing.splitlines(keepends=True) if not line.startswith("#"))


def without_ours(listing: str) -> str:
    return "".join(line for line in plain(listing).splitlines(keepends=True) if "LBFTP-" not in line)
