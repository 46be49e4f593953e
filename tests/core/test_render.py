from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lbftp.core.observe import iptables as reader
from lbftp.core.observe.iptables import Ruleset
from lbftp.core.observe.keepalived import includes_ours, marks, router_ids
from lbftp.core.render import desired, iptables, keepalived, saved
from lbftp.core.spec import PortRange
from lbftp.core.steps import main_text
from tests.core.cases import GUIDE, R1, golden, guide, pair

SPECS = {
    "guide": GUIDE,
    "wide": guide(passive=PortRange(1024, 65535), scheduler="rr", persistence_timeout=0),
    "other": guide(name="other-1", mark=4096, vrid=99, advert_int=3),
}


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("router", ["r1", "r2"])
def test_artifacts_equal_their_golden_files(name: str, router: str) -> None:
    wanted = desired(SPECS[name], pair("fresh")[router])
    golden(f"{name}-{router}.keepalived.conf", wanted.keepalived_text)
    golden(f"{name}-{router}.rules", iptables.load(wanted.chains, (), pair("fresh")[router].running))


@pytest.mark.parametrize("router", ["r1", "r2"])
def test_saved_rules_equal_their_golden_files(router: str) -> None:
    found = pair("fresh")[router]
    wanted = desired(GUIDE, found)
    before = found.files[found.facts.rules_path]
    golden(f"saved-{router}.rules", saved.merge(before, "ftp", wanted.chains, found.running))


@pytest.mark.parametrize("name", SPECS)
def test_keepalived_accepts_what_is_rendered(name: str, tmp_path: Path) -> None:
    """In a network namespace with the router's interfaces, since a missing interface is a complaint too."""
    path = tmp_path / "keepalived.conf"
    path.write_text(keepalived.text(SPECS[name], R1))
    links = "ip link add pub0 type veth peer name int0 && ip link set pub0 up && ip link set int0 up"
    command = ["unshare", "--map-root-user", "--net", "sh", "-c", f"{links} && keepalived -t -f {path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("name", SPECS)
def test_iptables_parses_every_rule(name: str) -> None:
    for own in desired(SPECS[name], pair("fresh")["r2"]).chains:
        for rule in own.rules:
            command = ["iptables-translate", "-t", own.table, "-A", own.builtin, *rule.tokens]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr


def test_no_port_stands_on_a_real_server_and_no_protocol_in_the_service() -> None:
    text = keepalived.text(GUIDE, R1)
    assert "protocol" not in text
    assert "real_server 10.0.50.11 {" in text


def test_accepts_come_along_only_where_the_filter_drops() -> None:
    found = pair("fresh")
    assert {c.table for c in desired(GUIDE, found["r1"]).chains} == {"mangle", "nat"}
    assert {c.builtin for c in desired(GUIDE, found["r2"]).chains if c.table == "filter"} == {"INPUT", "FORWARD"}


def test_a_last_rule_that_drops_everything_counts_as_dropping() -> None:
    text = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 22 -j ACCEPT\n-A INPUT -j REJECT\nCOMMIT\n"
    assert iptables.drops(reader.parse(text), "INPUT")
    assert not iptables.drops(reader.parse(text.replace("-A INPUT -j REJECT\n", "")), "INPUT")


def test_merging_keeps_every_foreign_line_and_is_done_once() -> None:
    for found in pair("fresh").values():
        before = found.files[found.facts.rules_path] or ""
        chains = desired(GUIDE, found).chains
        once = saved.merge(before, "ftp", chains, found.running)
        assert saved.merge(once, "ftp", chains, found.running) == once
        assert saved.merge(once, "ftp", (), found.running) == before
        assert [line for line in once.split("\n") if "LBFTP" not in line] == before.split("\n")


def test_merging_into_no_file_saves_only_our_tables() -> None:
    text = saved.merge(None, "ftp", desired(GUIDE, pair("fresh")["r1"]).chains, Ruleset())
    parsed = reader.parse(text)
    assert set(parsed.tables) == {"mangle", "nat"}
    assert parsed.policy("mangle", "INPUT") == "ACCEPT"
    assert text.endswith("COMMIT\n")


def test_two_clusters_do_not_touch_each_other_s_lines() -> None:
    found = pair("fresh")["r2"]
    one = desired(GUIDE, found).chains
    two = desired(SPECS["other"], found).chains
    both = saved.merge(saved.merge(None, "ftp", one, found.running), "other-1", two, found.running)
    assert all(iptables.in_step(c, reader.parse(both)) for c in (*one, *two))
    gone = reader.parse(saved.merge(both, "other-1", (), found.running))
    assert all(iptables.in_step(c, gone) for c in one)
    assert "LBFTP-other-1" not in gone.tables["mangle"]


@pytest.mark.parametrize(("text", "ours"), [
    ("", False), ("include /etc/keepalived/lbftp.d/*.conf\n", True), ("# include /etc/keepalived/lbftp.d/*.conf\n", False),
    ("include /etc/keepalived/conf.d/*.conf\n", False), ("  include /etc/keepalived/*/*.conf", True),
])  # fmt: skip
def test_our_include_line_is_recognised(text: str, ours: bool) -> None:
    assert includes_ours(text) is ours
    assert includes_ours(main_text(text))
    assert main_text(main_text(text)) == main_text(text)
    assert main_text(text).startswith(text)


def test_others_marks_and_router_ids_are_read_without_comments() -> None:
    text = "virtual_server fwmark 7 {\n}\n# virtual_server fwmark 8\nvrrp_instance a {\n virtual_router_id 51 ! 52\n}\n"
    assert marks(text) == {7}
    assert router_ids(text) == {51}


def test_our_own_file_is_read_as_what_it_is() -> None:
    text = keepalived.text(GUIDE, R1)
    assert marks(text) == frozenset({21})
    assert router_ids(text) == frozenset({21})
