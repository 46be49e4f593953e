"""Our table in a real kernel, for any cluster, beside others' tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbftp.core.observe.nftables import NftRuleset, parse
from lbftp.core.render import nftables
from lbftp.core.spec import ClusterSpec, RouterSpec
from tests.core.cases import DATA, GOLDEN, GUIDE, R1
from tests.core.filter_cases import CASES
from tests.core.strategies import sound_specs, specs
from tests.kernel.cases import foreign, tries
from tests.kernel.namespace import Namespace, namespace

STATELY = (DATA / "filter" / "stately.nft").read_text()


@pytest.fixture(scope="module")
def alone() -> Iterator[Namespace]:
    with namespace() as found:
        yield found


def clear(alone: Namespace) -> None:
    """Others' tables: one of nftables' own, and those of iptables-nft."""
    alone.run("nft", "flush", "ruleset")
    alone.run("iptables-nft-restore", given=foreign("open"))
    alone.run("nft", "-f", "-", given=STATELY)


def load(alone: Namespace, text: str) -> None:
    alone.run("nft", "-c", "-f", "-", given=text)
    alone.run("nft", "-f", "-", given=text)


def listing(alone: Namespace) -> str:
    return alone.run("nft", "list", "ruleset")


def ruleset(alone: Namespace) -> NftRuleset:
    return parse(alone.run("nft", "-j", "list", "ruleset"))


def router_of(spec: ClusterSpec) -> RouterSpec:
    return spec.routers[0] if spec.routers else R1


@given(spec=specs())
@tries(12, 1000)
def test_what_is_rendered_is_what_the_kernel_lists(alone: Namespace, spec: ClusterSpec) -> None:
    clear(alone)
    before = listing(alone)
    own = nftables.table(spec, router_of(spec))
    assert not nftables.in_step(own, ruleset(alone))
    load(alone, nftables.load(own))
    after, found = listing(alone), ruleset(alone)
    assert nftables.in_step(own, found)
    assert nftables.holds(found, own.name)
    assert after.startswith(before)
    expected, shown = nftables.differences(own, found)
    assert expected == shown
    # Once more, as the file that a boot loads; then the way back.
    load(alone, nftables.file_text(own))
    assert listing(alone) == after
    load(alone, nftables.restore(parse(json.dumps({"nftables": []})), own.name))
    assert listing(alone) == before
    load(alone, nftables.unload(own.name))
    assert listing(alone) == before


@given(old=specs(), new=specs())
@tries(5, 500)
def test_a_change_and_its_way_back(alone: Namespace, old: ClusterSpec, new: ClusterSpec) -> None:
    object.__setattr__(new, "name", old.name)
    clear(alone)
    first, second = (nftables.table(spec, router_of(spec)) for spec in (old, new))
    load(alone, nftables.load(first))
    before, kept = listing(alone), ruleset(alone)
    load(alone, nftables.load(second))
    assert nftables.in_step(second, ruleset(alone))
    load(alone, nftables.restore(kept, second.name))
    assert listing(alone) == before


@given(spec=sound_specs(), policy=st.sampled_from(["policy drop", "last rule", "states"]))
@tries(10, 500)
def test_the_lines_we_tell_make_room_for_all_of_it(alone: Namespace, spec: ClusterSpec, policy: str) -> None:
    """Taken over word by word into the foreign chains, nothing of the cluster is lost any more."""
    router = spec.routers[0]
    alone.run("nft", "flush", "ruleset")
    places = ("input", "forward", "output")
    bodies = {
        "policy drop": "policy drop; tcp dport 22 accept;",
        "last rule": "policy accept; ct state vmap { established : accept, related : accept }; drop;",
        "states": "policy accept; ct state invalid drop; ct state established accept; reject;",
    }
    chains = "\n".join(f"chain {p} {{ type filter hook {p} priority 0; {bodies[policy]}\n}}" for p in places)
    alone.run("nft", "-f", "-", given=f"table inet filter {{\n{chains}\n}}\n")
    told = nftables.foreign_drops(spec, router, ruleset(alone))
    assert {chain for chain, _ in told} >= {"chain input of table inet filter", "chain output of table inet filter"}
    for chain, lines in told:
        place = chain.split()[1]
        for line in reversed(lines):
            alone.run("nft", "-f", "-", given=f"insert rule inet filter {place} {line}\n")
    assert nftables.foreign_drops(spec, router, ruleset(alone)) == []


def test_lines_for_chains_of_iptables_are_told_as_iptables_takes_them(alone: Namespace) -> None:
    alone.run("nft", "flush", "ruleset")
    alone.run("iptables-nft-restore", given=foreign("policy"))
    told = nftables.foreign_drops(GUIDE, R1, ruleset(alone))
    assert [chain for chain, _ in told] == [f"chain {p} of table ip filter" for p in ("INPUT", "FORWARD", "OUTPUT")]
    assert nftables.foreign_drops(GUIDE, R1, ruleset(alone), beside_iptables=True) == []
    for _, lines in told:
        for line in lines:
            program, *words = line.split()
            alone.run(f"{program}-nft", *words)
    assert "-A FORWARD -s 10.0.50.0/24 -p tcp -m tcp --sport 20 -j ACCEPT" in alone.run("iptables-nft-save")


def test_a_table_that_somebody_changed_is_not_in_step(alone: Namespace) -> None:
    clear(alone)
    own = nftables.table(GUIDE, R1)
    for change in (
        "add rule inet lbftp-ftp prerouting counter drop",
        "add chain inet lbftp-ftp more",
        "flush chain inet lbftp-ftp postrouting",
        "add chain inet lbftp-ftp prerouting { policy drop; }",
        "add table inet lbftp-ftp { flags dormant; }",
    ):
        load(alone, nftables.load(own))
        assert nftables.in_step(own, ruleset(alone))
        alone.run("nft", "-f", "-", given=f"{change}\n")
        assert not nftables.in_step(own, ruleset(alone)), change
        expected, found = nftables.differences(own, ruleset(alone))
        assert expected != found


def test_counters_do_not_count(alone: Namespace) -> None:
    clear(alone)
    own = nftables.table(GUIDE, R1)
    load(alone, nftables.load(own).replace("meta mark set", "counter meta mark set"))
    assert nftables.in_step(own, ruleset(alone))


def test_the_main_file_loads_our_folder(alone: Namespace, tmp_path: Path) -> None:
    """The include line, which takes any number of files, with the folder moved to where a test may write."""
    alone.run("nft", "flush", "ruleset")
    own = nftables.table(GUIDE, R1)
    main = nftables.main_text("#!/usr/sbin/nft -f\nflush ruleset\n").replace(nftables.FOLDER, str(tmp_path))
    (tmp_path / "main.conf").write_text(main)
    alone.run("nft", "-f", str(tmp_path / "main.conf"))
    assert listing(alone) == ""
    (tmp_path / nftables.path(own).rpartition("/")[2]).write_text(nftables.file_text(own))
    for _ in range(2):
        alone.run("nft", "-f", str(tmp_path / "main.conf"))
        assert nftables.in_step(own, ruleset(alone))


@pytest.mark.parametrize("name", CASES)
def test_the_real_checker_takes_what_is_in_the_golden_files(alone: Namespace, name: str) -> None:
    alone.run("nft", "-c", "-f", str(GOLDEN / f"filter-{name}.nft"))
