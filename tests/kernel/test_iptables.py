"""Our chains in a real kernel, under both back ends of iptables and both IP versions, for any cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbftp.core.observe.iptables import Ruleset, parse
from lbftp.core.render import iptables, saved
from lbftp.core.render.artifact import OwnChain
from lbftp.core.spec import ClusterSpec, Family, RouterSpec
from tests.core.cases import DATA, GOLDEN, GUIDE, R1
from tests.core.filter_cases import CASES
from tests.core.strategies import specs
from tests.kernel.cases import DROPPING, FILTERS, foreign, plain, tries, without_ours
from tests.kernel.namespace import Namespace, namespace

BACKENDS = ("nft", "legacy")
filters = st.sampled_from(sorted(FILTERS))


@pytest.fixture(scope="module")
def alone() -> Iterator[Namespace]:
    with namespace() as found:
        yield found


class Tables:
    """One family's rules under one back end."""

    def __init__(self, alone: Namespace, backend: str, family: Family) -> None:
        self.alone, self.family = alone, family
        self.program = f"{'ip6tables' if family == 6 else 'iptables'}-{backend}"

    def clear(self, filters: str) -> Ruleset:
        self.alone.run(f"{self.program}-restore", given=foreign(filters))
        return self.ruleset()

    def listing(self) -> str:
        return plain(self.alone.run(f"{self.program}-save"))

    def ruleset(self) -> Ruleset:
        return parse(self.listing())

    def load(self, text: str) -> None:
        if text:
            self.alone.run(f"{self.program}-restore", "--noflush", "--test", given=text)
            self.alone.run(f"{self.program}-restore", "--noflush", given=text)

    def undo(self, before: Ruleset, wanted: tuple[OwnChain, ...], gone: tuple[OwnChain, ...] = ()) -> None:
        """As a router's own `restore` does it."""
        deletions, text = iptables.restore(before, wanted, gone)
        for table, builtin, name in deletions:
            where = (self.program, "-t", table)
            while self.alone.works(*where, "-D", builtin, "-j", name):
                pass
            self.alone.works(*where, "-F", name)
            self.alone.works(*where, "-X", name)
        self.load(text)


def router_of(spec: ClusterSpec) -> RouterSpec:
    return spec.routers[0] if spec.routers else R1


def check(tables: Tables, spec: ClusterSpec, filters: str) -> None:
    running = tables.clear(filters)
    before = tables.listing()
    chains = iptables.chains(spec, router_of(spec), running, tables.family)
    assert {c.builtin for c in chains if c.table == "filter"} <= DROPPING[filters]

    tables.load(iptables.load(chains, (), running))
    after = tables.listing()
    assert all(iptables.in_step(own, parse(after)) for own in chains)
    assert iptables.leftovers(spec.name, chains, parse(after), tables.family) == ()
    assert without_ours(after) == before

    # Once more, as one who lost sight of what is there, and the way back.
    assert iptables.chains(spec, router_of(spec), parse(after), tables.family) == chains
    tables.load(iptables.load(chains, (), parse(after)))
    assert tables.listing() == after
    tables.undo(running, chains)
    assert tables.listing() == before


@pytest.mark.parametrize("backend", BACKENDS)
@given(spec=specs(), filters=filters)
@tries(15, 500)
def test_what_is_rendered_is_what_the_kernel_lists(
    alone: Namespace, backend: str, spec: ClusterSpec, filters: str
) -> None:
    for side in spec.sides:
        check(Tables(alone, backend, side.family), spec, filters)


@pytest.mark.parametrize("backend", BACKENDS)
@given(old=specs(), new=specs(), filters=filters)
@tries(6, 200)
def test_a_change_and_its_way_back(
    alone: Namespace, backend: str, old: ClusterSpec, new: ClusterSpec, filters: str
) -> None:
    """Another revision of a cluster over the first one: chains that it no longer needs go, and come back."""
    object.__setattr__(new, "name", old.name)
    for family in {s.family for s in old.sides} & {s.family for s in new.sides}:
        tables = Tables(alone, backend, family)
        running = tables.clear(filters)
        tables.load(iptables.load(iptables.chains(old, router_of(old), running, family), (), running))
        before = tables.ruleset()
        wanted = iptables.chains(new, router_of(new), before, family)
        gone = iptables.leftovers(new.name, wanted, before, family)
        tables.load(iptables.load(wanted, gone, before))
        after = tables.ruleset()
        assert all(iptables.in_step(own, after) for own in wanted)
        assert iptables.leftovers(new.name, wanted, after, family) == ()
        tables.undo(before, wanted, gone)
        assert tables.ruleset() == before


@pytest.mark.parametrize("backend", BACKENDS)
@given(spec=specs(), filters=filters)
@tries(6, 200)
def test_saved_rules_bring_the_same_back(alone: Namespace, backend: str, spec: ClusterSpec, filters: str) -> None:
    """What a boot loads, into the platform's file or into none."""
    for side in spec.sides:
        tables = Tables(alone, backend, side.family)
        running = tables.clear(filters)
        chains = iptables.chains(spec, router_of(spec), running, side.family)
        for existing in (foreign(filters), tables.listing()):
            merged = saved.merge(existing, spec.name, chains, running)
            assert saved.merge(merged, spec.name, chains, running) == merged
            assert saved.merge(merged, spec.name, (), running) == existing
            alone.run(f"{tables.program}-restore", given=merged)
            assert all(iptables.in_step(own, tables.ruleset()) for own in chains)
            assert without_ours(tables.listing()) == without_ours(plain(_again(tables, existing)))
        alone.run(f"{tables.program}-restore", given=saved.merge(None, spec.name, chains, running))
        assert all(iptables.in_step(own, tables.ruleset()) for own in chains)


def _again(tables: Tables, text: str) -> str:
    tables.alone.run(f"{tables.program}-restore", given=text)
    return tables.listing()


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_clusters_share_a_router(alone: Namespace, backend: str) -> None:
    tables = Tables(alone, backend, 4)
    running = tables.clear("policy")
    one = iptables.chains(GUIDE, R1, running)
    tables.load(iptables.load(one, (), running))
    between = tables.listing()
    other = ClusterSpec("other", GUIDE.routers, GUIDE.real_servers, GUIDE.vip, mark=99)
    two = iptables.chains(other, R1, tables.ruleset())
    tables.load(iptables.load(two, (), tables.ruleset()))
    assert all(iptables.in_step(own, tables.ruleset()) for own in (*one, *two))
    tables.undo(parse(between), two)
    assert tables.listing() == between


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("family", [4, 6])
def test_what_people_write_equals_what_is_listed(alone: Namespace, backend: str, family: Family) -> None:
    """One normal form for all spellings, by what this kernel and these programs make of them."""
    tables = Tables(alone, backend, family)
    written = (DATA / "filter" / f"written.v{family}").read_text()
    alone.run(f"{tables.program}-restore", given=written)
    listed = tables.ruleset()
    for table, chains in parse(written).tables.items():
        for name, chain in chains.items():
            found = listed.chain(table, name)
            assert found is not None
            assert found.rules == chain.rules


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CASES)
def test_the_real_checker_takes_what_is_in_the_golden_files(alone: Namespace, backend: str, name: str) -> None:
    for side in CASES[name].sides:
        given_text = (GOLDEN / f"filter-{name}.v{side.family}").read_text()
        program = Tables(alone, backend, side.family).program
        alone.run(f"{program}-restore", "--noflush", "--test", given=given_text)


def test_tables_that_only_nft_can_show_are_named(alone: Namespace) -> None:
    tables = Tables(alone, "nft", 4)
    assert tables.clear("policy").unreadable == ()
    alone.run("nft", "add", "rule", "ip", "filter", "INPUT", "numgen", "random", "mod", "2", "0", "drop")
    found = parse(alone.run("iptables-nft-save"))
    assert found.unreadable == ("filter",)
    assert found.chain("filter", "INPUT") is None
    alone.run("nft", "flush", "ruleset")
