from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbftp.core.observe import connections, facts, iptables, ipvs
from lbftp.core.observe.answer import observed, unframe
from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.ipvs import Destination, Service
from tests.core.cases import answer, pair


def test_a_real_debian_router_is_understood() -> None:
    found = pair("fresh")["r1"]
    assert (found.facts.platform, found.facts.keepalived, found.facts.iptables) == ("debian", "2.2.7", "1.8.9")
    assert found.facts.rules_path == "/etc/iptables/rules.v4"
    assert [str(a) for a in found.facts.interfaces["pub0"]] == ["192.0.2.2/24", "2001:db8:2::2/64"]
    assert found.sysctls["net.ipv4.ip_forward"] == "0"
    assert found.unit("keepalived.service").starts_at_boot
    assert list(found.services) == ["tcp 192.0.2.80:8080"]
    assert found.others == {}


def test_a_real_red_hat_router_is_understood() -> None:
    found = pair("fresh")["r2"]
    assert found.facts.platform == "redhat"
    assert found.facts.firewall_unit == "iptables.service"
    assert not found.unit("netfilter-persistent.service").exists
    forward = found.running.chain("filter", "FORWARD")
    assert forward is not None
    assert forward.drops_by_default


def test_an_applied_router_has_the_service_and_the_address() -> None:
    found = pair("applied")["r1"]
    servers = (Destination("10.0.50.11", 0, "NAT", 1), Destination("10.0.50.12", 0, "NAT", 1))
    assert found.services["fwmark 21"] == Service("fwmark 21", "wlc", 360, servers)
    assert found.holds("192.0.2.100")
    assert found.holds("10.0.50.1")
    assert "ip_vs_ftp" in found.modules


@pytest.mark.parametrize(("written", "printed"), [
    ("-p tcp -d 1.2.3.4/32 --dport 21 -j MARK --set-mark 21",
     "-p tcp -d 1.2.3.4 -m tcp --dport 21 -j MARK --set-xmark 0x15/0xffffffff"),
    ("-p vrrp -j ACCEPT", "-p 112 -j ACCEPT"),
    ("-m state --state RELATED,ESTABLISHED -j ACCEPT", "-m state --state ESTABLISHED,RELATED -j ACCEPT"),
    ("--source 1.2.3.0/24 --jump DROP", "-s 1.2.3.0/24 -j DROP"),
    ("-m mark --mark 21 -j ACCEPT", "-m mark --mark 0x15 -j ACCEPT"),
])  # fmt: skip
def test_two_spellings_of_a_rule_are_equal(written: str, printed: str) -> None:
    assert iptables.rule(written) == iptables.rule(printed)


def test_negation_and_quotes_are_kept() -> None:
    text = '*filter\n-A INPUT ! -s 1.2.3.4/32 -m comment --comment "a \\"b\\" -j c" -j DROP\nCOMMIT\n'
    (_, chain, rule), *rest = iptables.parse(text).rules()
    assert rule.tokens == ("!", "-s", "1.2.3.4", "-m", "comment", "--comment", 'a "b" -j c', "-j", "DROP")
    assert rule != iptables.rule("-s 1.2.3.4 -j DROP")
    assert not rest
    assert chain.name == "INPUT"


def test_counters_and_comments_are_left_out() -> None:
    plain = iptables.parse("*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -j X\nCOMMIT\n")
    counted = iptables.parse("# made\n*nat\n:POSTROUTING ACCEPT [7:9]\n[3:4] -A POSTROUTING -j X\nCOMMIT\n# end\n")
    assert plain == counted


def test_a_marking_rule_tells_its_mark() -> None:
    assert iptables.rule("-j MARK --set-mark 21").sets_mark == 21
    # xt_MARK.c: the mask's bits are cleared, then the whole value is XORed in.
    assert iptables.rule("-j MARK --set-xmark 0x115/0xff").sets_mark == 0x115
    assert iptables.rule("-j ACCEPT").sets_mark is None


@pytest.mark.parametrize(
    "text", ["", "x", "LBFTP-OBSERVED 3\n", "LBFTP-OBSERVED 3\n 5 a\n\nabc", "LBFTP-OBSERVED 3\nx a\n\n"]
)
def test_a_cut_or_foreign_answer_is_refused(text: str) -> None:
    with pytest.raises(ObserveError):
        unframe(text.encode())


def test_every_cut_of_a_real_answer_is_refused() -> None:
    whole = answer("r1", "fresh")
    for length in range(0, len(whole) - 1, 97):
        with pytest.raises(ObserveError):
            observed("r1", whole[:length])


def test_any_bytes_in_a_file_come_through() -> None:
    wild = bytes(range(1, 256)) + b"\n\nLBFTP-OBSERVED 3\n"
    parts = unframe(b"LBFTP-OBSERVED 3\n%d a\n3 b\n%d total\n\n%sxyz" % (len(wild), len(wild) + 3, wild))
    assert parts == {"a": wild, "b": b"xyz"}


@given(st.binary(max_size=300))
def test_framing_raises_nothing_else(data: bytes) -> None:
    for blob in (data, b"LBFTP-OBSERVED 3\n" + data):
        try:
            observed("r1", blob)
        except ObserveError:
            continue


WORDS = st.sampled_from(["*filter", "COMMIT", ":INPUT DROP [0:0]", "-A", "-A INPUT", "-j", "MARK", "--set-mark", "!", "-s", '"',
                         "-f", "-t", "-p", "-r", "1.2.3.4:5", "TCP", "0000", "\n", "Id=", "=", "inet", "0A", ":"])  # fmt: skip


@given(st.lists(WORDS | st.text(max_size=6)).map(" ".join))
def test_no_reader_raises_anything_but_its_own_error(text: str) -> None:
    for read in (iptables.parse, ipvs.parse, facts.addresses, facts.listening, facts.units, facts.os_release,
                 facts.version, connections.servers):  # fmt: skip
        try:
            read(text)
        except ObserveError:
            continue


def test_connections_name_the_real_server() -> None:
    text = (
        "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
        "TCP C0000232 B3A6 C0000264 0015 0A00320B 0015 ESTABLISHED     899\n"
        "IP  C0000232 0000 00000015 0000 0A00320B 0000 NONE            359\n"
    )
    assert connections.servers(text) == {("192.0.2.50", 0xB3A6): "10.0.50.11"}


def test_units_that_do_not_exist_are_told() -> None:
    text = "Id=a.service\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\n\nId=b.service\nLoadState=loaded\n"
    found = facts.units(text)
    assert not found["a.service"].exists
    assert found["b.service"].exists


def test_answers_hold_no_secret_and_nothing_random() -> None:
    assert json.dumps(sorted(unframe(answer("r1", "fresh"))))
    assert observed("r1", answer("r1", "fresh")) == observed("r1", answer("r1", "fresh"))
