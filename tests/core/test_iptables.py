"""Chains of iptables: what is rendered, and how rules of all ages are read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbftp.core.observe import iptables as reader
from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.iptables import Rule, parse, rule
from lbftp.core.observe.iptables_normal import words
from lbftp.core.render import iptables
from lbftp.core.spec import ClusterSpec
from tests.core.cases import DATA, GUIDE, R1, R2, golden, guide
from tests.core.filter_cases import CASES, DROPPING, OPEN
from tests.core.strategies import specs
from tests.kernel.cases import tries

FILTER = DATA / "filter"


@pytest.mark.parametrize("name", CASES)
def test_rules_equal_their_golden_files(name: str) -> None:
    spec = CASES[name]
    for side in spec.sides:
        chains = iptables.chains(spec, spec.router("r2"), DROPPING, side.family)
        golden(f"filter-{name}.v{side.family}", iptables.load(chains, (), DROPPING))


def texts(spec: ClusterSpec, place: str, *, family: int = 4) -> list[str]:
    chains = iptables.chains(spec, spec.routers[0], DROPPING, 6 if family == 6 else 4)
    return [r.text for c in chains if c.builtin == place for r in c.rules]


def test_without_nat_only_marks_are_made_and_nothing_is_forwarded() -> None:
    spec = CASES["direct"]
    assert {c.builtin for c in iptables.chains(spec, R1, DROPPING)} == {"PREROUTING", "INPUT", "OUTPUT"}
    assert {c.table for c in iptables.chains(spec, R1, OPEN)} == {"mangle"}
    assert "-d 192.0.2.100 -p tcp --dport 20 -j MARK --set-xmark 0x15/0xffffffff" in texts(spec, "PREROUTING")


def test_without_tracking_answers_are_told_by_their_ports() -> None:
    assert "-s 10.0.50.0/24 -p tcp --sport 10000:20000 -j ACCEPT" in texts(CASES["tls"], "FORWARD")
    assert not [t for t in texts(guide(mode="advertise", active="none"), "FORWARD") if "conntrack" in t]
    tracked = "-s 10.0.50.0/24 -p tcp --sport 10000:20000 -m conntrack --ctstate ESTABLISHED -j ACCEPT"
    assert tracked in texts(GUIDE, "FORWARD")


def test_data_comes_from_the_port_below_the_control_port() -> None:
    nat = texts(CASES["ports"], "POSTROUTING")
    assert nat == [f"-s 10.0.50.0/24 -p tcp --sport {port} -j MASQUERADE" for port in (20, 2120, 8020)]
    assert texts(guide(active="none"), "POSTROUTING") == []
    assert texts(CASES["snat"], "POSTROUTING", family=6) == [
        "-s fd00:50::/64 -p tcp --sport 20 -j SNAT --to-source 2001:db8::100"
    ]


def test_vrrp_is_let_in_over_the_ip_version_that_it_speaks() -> None:
    assert [t for t in texts(CASES["dual"], "INPUT", family=6) if "112" in t] == []
    assert [t for t in texts(CASES["dual"], "INPUT") if "112" in t] == [
        "-s 192.0.2.3 -i pub0 -p 112 -j ACCEPT", "-s 10.0.50.3 -i int0 -p 112 -j ACCEPT"
    ]  # fmt: skip
    assert "-s fe80::/10 -i pub0 -p 112 -j ACCEPT" in texts(CASES["six"], "INPUT", family=6)
    unicast = texts(CASES["six-unicast-sync"], "INPUT", family=6)
    assert "-s 2001:db8::3 -i pub0 -p 112 -j ACCEPT" in unicast
    assert "-s fe80::/10 -i int0 -p udp --dport 8848 -j ACCEPT" in unicast
    assert "-s 10.0.50.3 -i int0 -p udp --dport 8848 -j ACCEPT" in texts(CASES["advertise-sync"], "INPUT")


def test_a_cluster_without_the_ip_version_has_no_chains_for_it() -> None:
    with pytest.raises(ValueError, match="no IPv6"):
        iptables.chains(GUIDE, R1, OPEN, 6)


ADDRESS = r"[0-9a-f.:]+(?:/\d{1,3})?"
PORTS = r"\d{1,5}(?::\d{1,5})?"
NAME = r"LBFTP-[a-z][a-z0-9-]*"
WHERE = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}"
LINE = re.compile(
    rf"\*(mangle|nat|filter)|COMMIT|:{NAME} - \[0:0\]|-I [A-Z]+ 1 -j {NAME}|"
    rf"-A {NAME}(?: -s {ADDRESS})?(?: -d {ADDRESS})?(?: -i {WHERE})?(?: -o {WHERE})?(?: -p (?:tcp|udp|112))?"
    rf"(?: --sport {PORTS})?(?: --dport {PORTS})?(?: -m mark --mark 0x[0-9a-f]+)?"
    r"(?: -m conntrack --ctstate ESTABLISHED)?"
    rf" -j (?:ACCEPT|MASQUERADE|MARK --set-xmark 0x[0-9a-f]+/0xffffffff|SNAT --to-source {ADDRESS})"
)


@given(spec=specs())
@tries(50, 20_000)
def test_no_value_adds_a_line_or_a_word(spec: ClusterSpec) -> None:
    for side in spec.sides:
        router = spec.routers[0] if spec.routers else R1
        chains = iptables.chains(spec, router, DROPPING, side.family)
        text = iptables.load(chains, (), DROPPING)
        lines = text.removesuffix("\n").split("\n")
        for line in lines:
            assert LINE.fullmatch(line), line
            assert words(line) == line.split(" ")
        tables = {c.table for c in chains}
        assert len(lines) == 2 * len(tables) + 2 * len(chains) + sum(len(c.rules) for c in chains)
        assert iptables.load(iptables.chains(spec, router, DROPPING, side.family), (), DROPPING) == text


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("backend", ["nft", "legacy"])
def test_what_people_write_equals_what_is_listed(family: int, backend: str) -> None:
    written = parse((FILTER / f"written.v{family}").read_text())
    listed = parse((FILTER / f"listed-{backend}.v{family}").read_text())
    assert [*_rules(written)] == [*_rules(listed)]


def test_a_listing_of_2009_equals_one_of_today() -> None:
    old, new = (parse((FILTER / name).read_text()) for name in ("spelled-1.3.v4", "spelled-1.8.v4"))
    assert old == new
    assert [*_rules(old)]


def _rules(ruleset: reader.Ruleset) -> list[tuple[str, str, Rule]]:
    found = [(table, chain.name, r) for table, chain, r in ruleset.rules()]
    return sorted(found, key=lambda entry: entry[:2])


@pytest.mark.parametrize(("written", "printed"), [
    ("-j ACCEPT -p tcp --dport ftp", "-p tcp -m tcp --dport 21 -j ACCEPT"),
    ("-p tcp -s 10.0.0.7/255.255.255.0 -j DROP", "-s 10.0.0.0/24 -p tcp -j DROP"),
    ("-d 2001:DB8::0100/128 -j DROP", "-d 2001:db8::100 -j DROP"),
    ("-s 0.0.0.0/0 -p all -i + -j DROP", "-j DROP"),
    ("-p tcp --dport=21 --syn -j DROP", "-p tcp -m tcp --dport 21 --tcp-flags FIN,SYN,RST,ACK SYN -j DROP"),
    ("-p tcp -m multiport --destination-ports 990,21,2000:3000", "-p tcp -m multiport --dports 21,990,2000:3000"),
    ("-p tcp --sport :1023 -j DROP", "-p tcp -m tcp --sport 0:1023 -j DROP"),
    ("-p icmpv6 --icmpv6-type neighbour-solicitation", "-p ipv6-icmp -m icmp6 --icmpv6-type 135"),
    ("-c 3 4 -p 50 -j ACCEPT", "-p esp -j ACCEPT"),
    ("-i ! eth0 -j DROP", "! -i eth0 -j DROP"),
    ("-m mark --mark 0x15/0xffffffff", "-m mark --mark 21"),
    ("-j MARK --or-mark 4", "-j MARK --set-xmark 0x4/0x4"),
    ("-j MARK --set-mark 025", "-j MARK --set-xmark 0x15/0xffffffff"),
    ("-m limit --limit 3/minute", "-m limit --limit 3/min"),
    ("-j SNAT --to-source 2001:DB8::1", "-j SNAT --to-source 2001:db8::1"),
])  # fmt: skip
def test_two_spellings_of_a_rule_are_equal(written: str, printed: str) -> None:
    assert rule(written) == rule(printed)


@pytest.mark.parametrize(("one", "other"), [
    ("! -s 1.2.3.4 -j DROP", "-s 1.2.3.4 -j DROP"),
    ("! -s 0.0.0.0/0 -j DROP", "-j DROP"),
    ("-m mark --mark 0x15/0xff", "-m mark --mark 0x15"),
    ("-m recent --set --name a", "-m recent --update --name a"),
    ("-p tcp --dport 21 -j ACCEPT", "-p udp --dport 21 -j ACCEPT"),
    ('-m comment --comment "a b" -j ACCEPT', '-m comment --comment "a  b" -j ACCEPT'),
    ("-j LBFTP-a", "-g LBFTP-a"),
])  # fmt: skip
def test_rules_that_differ_stay_different(one: str, other: str) -> None:
    assert rule(one) != rule(other)


def test_a_comment_is_neither_an_option_nor_a_condition() -> None:
    tricky = rule('-m comment --comment "-j ACCEPT" -j DROP')
    assert tricky.target == "DROP"
    assert tricky.unconditional
    assert rule('-m comment --comment "-j" -p tcp').target == ""
    assert not rule('-p tcp -m comment --comment "x" -j DROP').unconditional


def test_quotes_are_read_as_iptables_restore_reads_them() -> None:
    assert words(r'''-m comment --comment "it\'s \"a\" \\ b"''')[-1] == 'it\'s "a" \\ b'
    assert words(r"--comment it's\ --x") == ["--comment", "it's\\", "--x"]
    assert words('--comment ""') == ["--comment", ""]
    with pytest.raises(ObserveError, match="open quote"):
        parse('*filter\n-A INPUT -m comment --comment "x\nCOMMIT\n')


def test_files_written_by_hand_may_insert_and_declare() -> None:
    text = "*filter\n-P INPUT DROP\n-N mine\n-A INPUT -j a\n-I INPUT -j b\n-I INPUT 2 -j c\n-A mine -j d\nCOMMIT\n"
    found = parse(text)
    chain = found.chain("filter", "INPUT")
    assert chain is not None
    assert (chain.policy, [r.target for r in chain.rules]) == ("DROP", ["b", "c", "a"])
    with pytest.raises(ObserveError, match="neither"):
        parse("*filter\n-F INPUT\nCOMMIT\n")


@pytest.mark.parametrize(("rules", "drops"), [
    ("-A INPUT -p tcp --dport 22 -j ACCEPT\n-A INPUT -j REJECT\n", True),
    ('-A INPUT -m comment --comment "rest" -j DROP\n', True),
    ("-A INPUT -j last\n-A last -j LOG\n-A last -j DROP\n", True),
    ("-A INPUT -j one\n-A one -j two\n-A two -j DROP\n", True),
    ("-A INPUT -j ACCEPT\n-A INPUT -j DROP\n", False),
    ("-A INPUT -j last\n-A last -j RETURN\n-A last -j DROP\n", False),
    ("-A INPUT -p tcp -j last\n-A last -j DROP\n", False),
    ("-A INPUT -j a\n-A a -j b\n-A b -j a\n", False),
    ("-A INPUT -p tcp -j DROP\n", False),
])  # fmt: skip
def test_what_drops_by_default(rules: str, drops: bool) -> None:
    chains = "".join(f":{name} - [0:0]\n" for name in ("last", "one", "two", "a", "b"))
    assert iptables.drops(parse(f"*filter\n:INPUT ACCEPT [0:0]\n{chains}{rules}COMMIT\n"), "INPUT") is drops


def test_a_jump_that_is_there_twice_is_thinned_out() -> None:
    own = iptables.chains(GUIDE, R2, OPEN)[0]
    text = "*mangle\n:PREROUTING ACCEPT [0:0]\n:LBFTP-ftp - [0:0]\n" + "-A PREROUTING -j LBFTP-ftp\n" * 3 + "COMMIT\n"
    lines = iptables.load([own], (), parse(text)).split("\n")
    assert lines.count("-D PREROUTING -j LBFTP-ftp") == 2
    assert not iptables.in_step(own, parse(text))


WORDS = st.sampled_from([
    "*filter", "COMMIT", ":INPUT DROP [0:0]", "-A INPUT", "-I INPUT 99999999", "-P INPUT", "-N", "-j", "MARK", "!", "-s", '"', "\\",
    "--set-mark", "0x", "--set-xmark", "0x15/0xZ", "1.2.3.4/33", "::/0", "-p", "all", "-m", "set", "--set", "--mark", "/",
    "--dport", ":", "--sports", ",", "²", "--tcp-flags", "ALL", "--limit", "3/m", "--comment", "-c", "--", "=", "--state=", "\n",
])  # fmt: skip


@given(text=st.lists(WORDS | st.text(max_size=6)).map(" ".join) | st.text())
@tries(400, 100_000)
def test_the_reader_raises_only_its_own_error(text: str) -> None:
    for given_text in (text, f"*filter\n:INPUT DROP [0:0]\n-A INPUT {text}\nCOMMIT\n"):
        try:
            found = parse(given_text)
        except ObserveError:
            continue
        iptables.chains(GUIDE, R1, found)
        for _, _, here in found.rules():
            assert isinstance(here.sets_mark, int | None)
            assert isinstance(here.unconditional, bool)
