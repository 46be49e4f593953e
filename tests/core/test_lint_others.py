"""The lint of clusters beside each other on the same routers."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Address

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lbftp.core.lint import lint, lint_others
from lbftp.core.spec import ClusterSpec, PortRange
from tests.core.cases import GUIDE, R1, R2, guide
from tests.core.lint_cases import BESIDE, GROUPED, OTHER_PUBLIC, advertise, direct, dual, joined, second
from tests.core.strategies import specs
from tests.core.test_lint import well_said


def codes(spec: ClusterSpec, *others: ClusterSpec) -> set[str]:
    return {p.code for p in lint_others(spec, others)}


@pytest.mark.parametrize(("code", "spec", "other"), BESIDE, ids=[f"{c}-{n}" for n, (c, _, _) in enumerate(BESIDE)])
def test_each_rule_finds_its_problem_from_either_side(code: str, spec: ClusterSpec, other: ClusterSpec) -> None:
    for one, beside in ((spec, other), (other, spec)):
        found = lint_others(one, [beside])
        assert code in {p.code for p in found}
        for problem in found:
            well_said(problem)


@pytest.mark.parametrize(("spec", "other"), [
    (second(), GUIDE),
    (joined(), GROUPED),
    (joined(active="snat"), GROUPED),
    (second(vrid=21, vip=None, vip6=dual().vip6, internal_vrid=30), GUIDE),
    (direct(name="two", mark=22, vip=IPv4Address("192.0.2.101"), vrid=22, real_servers=second().real_servers), GUIDE),
    (advertise(name="two", mark=22, vip=IPv4Address("192.0.2.101"), vrid=22, group="pair", control_ports=(2121,),
               real_servers=second().real_servers, active="none"), GROUPED),
    (joined(real_servers=GUIDE.real_servers), GROUPED),
    (joined(real_servers=GUIDE.real_servers, control_ports=(2121,), passive=PortRange(30000, 31000)), GROUPED),
    (joined(routers=OTHER_PUBLIC), GROUPED),
    (joined(sync_connections=True), guide(group="pair", sync_connections=True)),
    (second(control_ports=(21, 2121)), guide(control_ports=(21, 2021, 3021, 4021, 5021, 6021, 7021))),
])  # fmt: skip
def test_what_may_be_shared_is_let_pass(spec: ClusterSpec, other: ClusterSpec) -> None:
    assert codes(spec, other) == set()
    assert codes(other, spec) == set()


@pytest.mark.parametrize(("changes", "expected"), [
    ({"mark": 21}, {"FTP040"}), ({"vip": GUIDE.vip}, {"FTP041", "FTP204"}), ({"vrid": 21}, {"FTP042"}),
    ({"floating": GUIDE.floating}, {"FTP043"}), ({"internal_vrid": 21}, {"FTP045"}),
])  # fmt: skip
def test_one_thing_shared_gives_one_reason(changes: dict[str, object], expected: set[str]) -> None:
    assert codes(second(**changes), GUIDE) == expected


def test_what_differs_in_a_group_is_named_at_its_field() -> None:
    found = lint_others(joined(advert_int=2, routers=(dataclasses.replace(R1, priority=50), R2)), [GROUPED])
    assert [(p.code, p.field) for p in found] == [("FTP044", "advert_int"), ("FTP044", "routers")]
    assert "has 1 here, not 2" in found[0].reason


def test_one_group_shares_the_floating_address_and_several_do_not() -> None:
    assert codes(joined(), GROUPED) == set()
    assert codes(joined(group="other", internal_vrid=22), GROUPED) == {"FTP043"}


def test_a_group_meant_by_both_is_told_from_one_met_by_chance() -> None:
    assert "FTP046" in codes(second(group="ftp"), GUIDE)
    assert codes(joined(group="ftp"), GUIDE) == set()


def test_direct_routing_asks_nothing_of_a_daemon_that_two_vips_could_not_share() -> None:
    two = direct(name="two", mark=22, vip=IPv4Address("192.0.2.101"), vrid=22)
    assert codes(two, direct()) == set()


def test_an_ipv4_cluster_may_carry_its_group_s_ipv6_floating_address() -> None:
    both = dual(group="pair")
    assert codes(joined(), both) == {"FTP044"}
    carrying = joined(floating6=both.floating6)
    assert codes(carrying, both) == set()
    assert "FTP056" not in {p.code for p in lint(carrying)}


def test_tls_only_sessions_of_an_advertise_cluster_are_safe_from_the_helper() -> None:
    implicit = {"control_ports": (), "implicit_ports": (990,)}
    beside = {"name": "two", "mark": 22, "vip": IPv4Address("192.0.2.101"), "vrid": 22, "group": "pair"}
    assert "FTP047" not in codes(advertise(**beside, **implicit), GROUPED)


def test_helper_ports_are_counted_over_all_clusters_of_a_router() -> None:
    three = [second(name=f"c{n}", control_ports=(n * 1000, n * 1000 + 10, n * 1000 + 20)) for n in (3, 4)]
    assert "FTP048" not in codes(guide(control_ports=(21, 2121)), *three)
    assert "FTP048" in codes(guide(control_ports=(21, 2121, 2221)), *three)
    assert "FTP048" not in codes(advertise(control_ports=(21, 2121, 2221)), *three)


def test_clusters_on_other_routers_do_not_matter() -> None:
    elsewhere = guide(name="two", routers=(dataclasses.replace(R1, name="r8"), dataclasses.replace(R2, name="r9")))
    assert lint_others(elsewhere, [GUIDE]) == []


def test_a_cluster_is_not_compared_with_its_own_former_self() -> None:
    assert lint_others(GUIDE, [GUIDE]) == []


# Four clusters shrink for minutes; the message names the rule well enough.
@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(specs(), st.lists(specs(), max_size=3))
def test_no_neighbours_are_too_odd_for_the_lint(spec: ClusterSpec, others: list[ClusterSpec]) -> None:
    """On the same routers, so that every rule has something to compare."""
    beside = [dataclasses.replace(o, name=f"n{n}", routers=spec.routers) for n, o in enumerate(others)]
    for problem in lint_others(spec, beside):
        well_said(problem)
