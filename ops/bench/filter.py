"""A large packet filter, as iptables-save prints it."""

from __future__ import annotations

RULES = 10_000
# What large rule sets are made of: addresses, ports, lists of ports, states, comments in quotes.
_KINDS = (
    '-A INPUT -s 10.{high}.{low}.0/24 -p tcp -m tcp --dport {n} -m comment --comment "team {n}: \\"x\\"" -j ACCEPT',
    "-A INPUT -d 192.0.2.{low}/32 -p tcp -m multiport --dports 21,990,{n}:65535 -m conntrack --ctstate NEW -j ACCEPT",
    "-A INPUT -s 2001:db8:{n:x}::/64 -p udp -m udp --dport 53 -j DROP",
    "-A INPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m mark --mark 0x15 -j MARK --set-xmark 0x15/0xffffffff",
)


def listing(rules: int = RULES) -> str:
    """What iptables-save would print."""
    lines = [_KINDS[n % len(_KINDS)].format(n=n, high=n // 256 % 256, low=n % 256) for n in range(rules)]
    return "\n".join(["*filter", ":INPUT ACCEPT [0:0]", *lines, "COMMIT", ""])
