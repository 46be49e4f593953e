"""Two clusters on the pair that share its floating address; a second control port, for which the helper is loaded again.

These tests go on from each other's state, in this order.
"""

from __future__ import annotations

import dataclasses

import pytest

from lbftp.core.spec import PortRange
from tests.core.cases import guide
from tests.lab.conftest import Kinds, data_from, neighbour

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

PLAIN = guide(group="pair")
# A daemon of its own on each real server, so its passive ports are others than its neighbour's.
SECRET = neighbour(
    PLAIN, "secret", 101, mode="advertise", tls=True, control_ports=(2121,), implicit_ports=(990,),
    passive=PortRange(30000, 31000),
)  # fmt: skip
TWO_PORTS = dataclasses.replace(PLAIN, control_ports=(21, 2222))
# Sessions that ended stay for two minutes in the kernel's table, and with them the helper's use. They go at once when
# their service goes.
FORGET = """
sysctl -qw net.ipv4.vs.expire_nodest_conn=1
systemctl stop keepalived && sleep 3
sysctl -qw net.ipv4.vs.expire_nodest_conn=0
systemctl start keepalived
"""


def test_the_first_cluster_of_a_group(kinds: Kinds) -> None:
    kinds.serve(PLAIN)
    kinds.apply(PLAIN)


def test_a_second_cluster_joins_it(kinds: Kinds) -> None:
    """Nothing of what runs moves meanwhile, not for a moment."""
    kinds.serve(SECRET, main=False)
    kinds.bench.both("systemd-run -q --unit=watch sh -c 'exec ip -o monitor address >/run/watch'")
    rows = kinds.apply(SECRET, PLAIN)
    assert {row["port"] for row in rows} == {2121, 990}
    moved = "\n".join(kinds.bench.both("systemctl stop watch; cat /run/watch").values())
    assert "192.0.2.101/32" in moved
    assert "192.0.2.100/32" not in moved
    assert "10.0.50.1/32" not in moved
    addresses = kinds.bench.sh("r1", "ip -br address show pub0; ip -br address show int0")
    assert all(address in addresses for address in ("192.0.2.100/32", "192.0.2.101/32", "10.0.50.1/32"))


def test_the_first_is_as_it_was(kinds: Kinds) -> None:
    kinds.verify(PLAIN)
    plan = kinds.bench.do("plan", spec=PLAIN, others=(SECRET,)).plan
    assert plan is not None
    assert plan.empty


def test_both_move_together(kinds: Kinds) -> None:
    kinds.bench.sh("r1", "systemctl stop keepalived && sleep 6")
    try:
        for spec in (PLAIN, SECRET):
            outcome = kinds.bench.do("verify", spec=spec, probe=kinds.probe())
            assert outcome.result["master"] == "r2"
            kinds.proven(spec)
    finally:
        kinds.bench.sh("r1", "systemctl start keepalived && sleep 6")


def test_the_helper_in_use_is_not_loaded_again(kinds: Kinds) -> None:
    """The sessions of the tests before are in the table still: the change fails, and nothing of it is left."""
    held = {name: sorted(lines) for name, lines in kinds.bench.look().items()}
    outcome = kinds.bench.apply(spec=TWO_PORTS, probe=kinds.probe(), others=(SECRET,))
    assert outcome.state == "failed"
    assert "cannot be loaded again while FTP sessions use it" in outcome.text
    # Our own jumps may have changed places with each other; they mark and accept, each for its own cluster.
    assert {name: sorted(lines) for name, lines in kinds.bench.look().items()} == held


def test_a_second_control_port_once_it_is_not_in_use(kinds: Kinds) -> None:
    kinds.serve(TWO_PORTS)
    kinds.bench.both(FORGET)
    rows = kinds.apply(TWO_PORTS, SECRET, previous=PLAIN)
    ports = kinds.bench.both("cat /sys/module/ip_vs_ftp/parameters/ports")
    assert {name: text.strip() for name, text in ports.items()} == {"r1": "21,2222", "r2": "21,2222"}
    assert data_from(rows, "PORT", "EPRT") == {"192.0.2.100:20", "192.0.2.100:2221"}


def test_the_explanation_agrees_with_sessions_at_both_ports(kinds: Kinds) -> None:
    """Without persistence and mark range only what the helper prepared works."""
    kinds.bench.sh("r1", "iptables -t mangle -F LBFTP-ftp; iptables -t mangle -A LBFTP-ftp -d 192.0.2.100 -p tcp "
                         "-m multiport --dports 21,2222 -j MARK --set-mark 21")  # fmt: skip
    said = kinds.as_predicted(TWO_PORTS, "r1")
    assert set(said) == {f"{m}{p}" for m in ("PASV", "EPSV", "PORT", "EPRT") for p in ("", " port 2222")}
