"""TLS over both IP versions, r1 with nftables and r2 with iptables: applied, proven, explained, and carried by the other router.

These tests go on from each other's state, in this order.
"""

from __future__ import annotations

import pytest

from tests.lab.conftest import Kinds, data_from, dual

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

SPEC = dual(active="snat")
NATIVE = """
systemctl disable --no-reload -q netfilter-persistent lab-container-engine
systemctl enable --no-reload -q nftables
systemctl stop netfilter-persistent lab-container-engine
cat >/etc/nftables.conf <<'RULES'
#!/usr/sbin/nft -f
flush ruleset
table inet site {
    chain input {
        type filter hook input priority filter; policy accept;
        ip saddr 203.0.113.0/24 udp dport 161 drop
    }
}
RULES
systemctl start nftables
"""


def test_it_is_applied_and_every_promised_kind_is_proven(kinds: Kinds) -> None:
    kinds.bench.sh("r1", NATIVE)
    kinds.serve(SPEC)
    rows = kinds.apply(SPEC)
    certificates = {row["certificate"] for row in rows if row["tls"] == "explicit"}
    assert {c.split()[0] for c in certificates} == {"O=Lab,CN=ftp1", "O=Lab,CN=ftp2"}
    assert data_from(rows, "PORT", "EPRT") == {"192.0.2.100:20", "[2001:db8:2::100]:20"}


def test_r1_has_a_native_table_and_r2_has_chains(kinds: Kinds) -> None:
    looks = kinds.look()
    assert (looks["r1"].firewall, looks["r2"].firewall) == ("nftables", "iptables")
    assert "LBFTP" not in kinds.bench.sh("r1", "iptables-save; ip6tables-save")
    assert "table inet lbftp-ftp" in kinds.bench.sh("r1", "nft list tables")
    assert "LBFTP-ftp" in kinds.bench.sh("r2", "cat /etc/sysconfig/ip6tables")


def test_restarting_the_firewall_units_keeps_it(kinds: Kinds) -> None:
    kinds.bench.sh("r1", "systemctl restart nftables")
    kinds.bench.sh("r2", "systemctl restart iptables ip6tables")
    kinds.verify(SPEC)


def test_the_explanation_agrees_with_sessions_on_native_rules(kinds: Kinds) -> None:
    """r1 loses its source NAT rules: active mode fails, everything else goes on."""
    kinds.bench.sh("r1", "nft flush chain inet lbftp-ftp postrouting")
    said = kinds.as_predicted(SPEC, "r1")
    assert {kind for kind, works in said.items() if not works} == {k for k in said if k.startswith(("PORT", "EPRT"))}
    outcome = kinds.bench.do("comply", spec=SPEC, probe=kinds.probe(), reapply=True)
    assert outcome.state == "succeeded", outcome.text
    kinds.proven(SPEC)


def test_the_router_that_drops_by_default_carries_it_too(kinds: Kinds) -> None:
    kinds.bench.sh("r1", "systemctl stop keepalived && sleep 6")
    try:
        kinds.bench.do("verify", spec=SPEC, probe=kinds.probe())
        kinds.proven(SPEC)
        # Its own filter: what comes back of IPv6's passive data is dropped without this accept.
        kinds.bench.sh("r2", "ip6tables -F LBFTP-ftp-fw")
        said = kinds.as_predicted(SPEC, "r2")
        assert {kind for kind, works in said.items() if not works} == {k for k in said if k.endswith("IPv6")}
    finally:
        kinds.bench.sh("r1", "systemctl start keepalived && sleep 6")


def test_compliance_puts_it_right(kinds: Kinds) -> None:
    outcome = kinds.bench.do("comply", spec=SPEC, probe=kinds.probe(), reapply=True)
    assert outcome.state == "succeeded", outcome.text
    assert kinds.bench.do("comply", spec=SPEC).result["findings"] == []
