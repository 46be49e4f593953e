"""Real packets against our rules: what reaches the VIP gets the mark and is let through, its other ports are not.

Packets over `lo` pass PREROUTING and INPUT as those of clients do.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest

from lbftp.core.observe.iptables import parse
from lbftp.core.observe.nftables import parse as parse_nft
from lbftp.core.render import iptables, nftables
from lbftp.core.spec import Family
from tests.core.filter_cases import CASES
from tests.kernel.namespace import Namespace, namespace

# The client's own side of each connection is let through, so that only what comes to the VIP is judged.
DROPPING = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
CLEAR = DROPPING + "*mangle\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n*nat\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n"
KNOCK = """
import socket, sys
address, *ports = sys.argv[1:]
for port in map(int, ports):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as client:
        client.setblocking(False)
        client.connect_ex((address, port))
"""
WANTED = {"dual": (21, 10000, 15000, 20000), "tls": (21, 990, 10000, 20000), "ports": (21, 2121, 8021, 1024, 65535),
          "direct": (20, 21, 10000), "six": (21, 20000), "tunnel-marked": (20, 21, 989, 990, 20000)}  # fmt: skip
OTHERS = (22, 80, 1023, 9999, 20001)


@pytest.fixture(scope="module")
def alone() -> Iterator[Namespace]:
    with namespace() as found:
        found.run("ip", "link", "set", "lo", "up")
        found.run("ip", "address", "add", "192.0.2.100/32", "dev", "lo")
        found.run("ip", "address", "add", "2001:db8::100/128", "dev", "lo", "nodad")
        yield found


def knock(alone: Namespace, address: object, ports: tuple[int, ...]) -> None:
    """One connection is tried to each port; nobody listens, and nobody waits."""
    alone.run(sys.executable, "-c", KNOCK, str(address), *map(str, ports))


def accepted(listing: str) -> int:
    """Packets that the accept for the mark has let through."""
    found = re.search(r"^\[(\d+):\d+\] -A LBFTP-ftp-in -m mark --mark 0x15 -j ACCEPT$", listing, re.MULTILINE)
    assert found, listing
    return int(found[1])


CASES_AND_FAMILIES = [(name, side.family) for name in WANTED for side in CASES[name].sides]


@pytest.mark.parametrize("backend", ["nft", "legacy"])
@pytest.mark.parametrize(("name", "family"), CASES_AND_FAMILIES)
def test_iptables_lets_the_cluster_s_ports_through(alone: Namespace, backend: str, name: str, family: Family) -> None:
    program, spec = f"{'ip6tables' if family == 6 else 'iptables'}-{backend}", CASES[name]
    vip = next(s.vip for s in spec.sides if s.family == family)
    alone.run("nft", "flush", "ruleset")
    alone.run(f"{program}-restore", given=CLEAR)
    running = parse(alone.run(f"{program}-save"))
    text = iptables.load(iptables.chains(spec, spec.routers[0], running, family), (), running)
    alone.run(f"{program}-restore", "--noflush", given=text)
    others = tuple(port for port in OTHERS if port not in spec.passive)
    knock(alone, vip, others)
    assert accepted(alone.run(f"{program}-save", "-c")) == 0
    knock(alone, vip, WANTED[name])
    assert accepted(alone.run(f"{program}-save", "-c")) >= len(WANTED[name])
    alone.run(f"{program}-restore", given=CLEAR.replace("DROP", "ACCEPT"))


@pytest.mark.parametrize(("name", "family"), CASES_AND_FAMILIES)
def test_nftables_marks_the_cluster_s_ports(alone: Namespace, name: str, family: Family) -> None:
    spec = CASES[name]
    vip = next(s.vip for s in spec.sides if s.family == family)
    head = "type filter hook input priority 0; policy drop;"
    counted = f"table inet count {{\ncounter marked {{\n}}\nchain input {{ {head} meta mark 0x15 counter name marked accept\n}}\n}}\n"
    alone.run("nft", "flush", "ruleset")
    alone.run("nft", "-f", "-", given=counted + nftables.load(nftables.table(spec, spec.routers[0])))
    assert nftables.in_step(nftables.table(spec, spec.routers[0]), parse_nft(alone.run("nft", "-j", "list", "ruleset")))
    knock(alone, vip, tuple(port for port in OTHERS if port not in spec.passive))
    assert marked(alone) == 0
    knock(alone, vip, WANTED[name])
    assert marked(alone) >= len(WANTED[name])


def marked(alone: Namespace) -> int:
    found = re.search(r"packets (\d+)", alone.run("nft", "list", "counter", "inet", "count", "marked"))
    assert found
    return int(found[1])
