"""The lint of a cluster by itself: each rule speaks where it should, and nowhere else that is known to be right."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Address, IPv4Interface

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbftp.core.ftp.parts import FTP_IDLE_TIMEOUT
from lbftp.core.lint import lint
from lbftp.core.problem import Problem, errors
from lbftp.core.spec import ClusterSpec, HealthCheck, PortRange, SorryServer
from tests.core.cases import GUIDE, R1, R2, guide
from tests.core.lint_cases import ALONE, FTP1, FTP2, ON_LINK, ONE_ARM, advertise, direct, dual, servers
from tests.core.strategies import sound_specs, specs

FIELDS = (
    {f.name for f in dataclasses.fields(ClusterSpec)}
    | {f.name for f in dataclasses.fields(type(GUIDE.vrrp))}
    | {f.name for f in dataclasses.fields(HealthCheck)}
    | {"passive_low", "passive_high"}
)


def codes(spec: ClusterSpec) -> set[str]:
    return {p.code for p in lint(spec)}


def test_the_guide_s_cluster_has_no_problems() -> None:
    assert lint(GUIDE) == []


@pytest.mark.parametrize(("code", "spec"), ALONE, ids=[f"{code}-{n}" for n, (code, _) in enumerate(ALONE)])
def test_each_rule_finds_its_problem(code: str, spec: ClusterSpec) -> None:
    found = lint(spec)
    assert code in {p.code for p in found}
    for problem in found:
        well_said(problem)


def well_said(problem: Problem) -> None:
    """One sentence why and one what to do, at a field that exists."""
    for text in (problem.reason, problem.remedy):
        assert text.endswith(".")
        assert "None" not in text
        assert "  " not in text
    assert problem.field in FIELDS


# Clusters that are right as they are, with the notes that belong to their kind.
@pytest.mark.parametrize(("spec", "notes"), [
    (dual(), {"FTP054", "FTP055"}),
    (dual(vip=None, floating=None, internal_network=None), {"FTP054", "FTP055"}),
    (advertise(), set()),
    (advertise(implicit_ports=(990,)), set()),
    (direct(), set()),
    (direct("TUN"), {"FTP089"}),
    (direct(routers=ONE_ARM, real_servers=ON_LINK), set()),
    (guide(active="snat"), set()),
    (guide(control_ports=(21, 2121)), {"FTP021", "FTP027"}),
    (guide(scheduler="sh", scheduler_flags=("sh-fallback",)), {"FTP063"}),
    (guide(scheduler="rr"), set()),
    (guide(scheduler="wrr", real_servers=servers({"weight": 1}, {"weight": 5})), set()),
    (guide(scheduler="ovf", real_servers=servers({"weight": 500}, {"weight": 500})), set()),
    (guide(sorry_server=SorryServer(IPv4Address("10.0.50.90"))), set()),
    (guide(quorum=2, real_servers=servers({}, {}, {}), sorry_server=SorryServer(IPv4Address("10.0.50.90"))), set()),
    (guide(expected_sessions=10001), set()),
    (guide(persistence_granularity=24, persistence_timeout=3600), set()),
    (guide(advert_int=3, unicast=True, track_interfaces=True, preempt_delay=30), set()),
    (guide(check=HealthCheck("ftp", 10, 10, 2)), set()),
    (guide(internal_network=GUIDE.internal_network, vrid=7, internal_vrid=7), set()),
    (guide(real_servers=servers({"upper_threshold": 9000, "lower_threshold": 8000}, {"upper_threshold": 9000}),
           expected_sessions=9000), set()),
])  # fmt: skip
def test_what_is_right_is_let_pass(spec: ClusterSpec, notes: set[str]) -> None:
    assert codes(spec) == notes


@pytest.mark.parametrize(("just_right", "just_wrong", "code"), [
    (guide(persistence_timeout=FTP_IDLE_TIMEOUT), guide(persistence_timeout=FTP_IDLE_TIMEOUT - 1), "FTP031"),
    (guide(persistence_timeout=3600), guide(persistence_timeout=3601), "FTP032"),
    (guide(passive=PortRange(10000, 10199)), guide(passive=PortRange(10000, 10198)), "FTP023"),
    (guide(passive=PortRange(10000, 32767)), guide(passive=PortRange(10000, 32768)), "FTP022"),
    (guide(expected_sessions=20002), guide(expected_sessions=20003), "FTP073"),
    (guide(expected_sessions=10001), guide(expected_sessions=10002), "FTP078"),
    (guide(persistence_granularity=24), guide(persistence_granularity=23), "FTP034"),
    (dual(persistence_granularity6=64), dual(persistence_granularity6=63), "FTP034"),
    (guide(quorum=2), guide(quorum=3), "FTP067"),
    (guide(advert_int=3), guide(advert_int=4), "FTP097"),
    (guide(check=HealthCheck(delay_loop=5, connect_timeout=5)),
     guide(check=HealthCheck(delay_loop=5, connect_timeout=6)), "FTP091"),
    (guide(control_ports=(21, 9999)), guide(control_ports=(21, 10000)), "FTP020"),
    (guide(control_ports=(21, 20001)), guide(control_ports=(21, 20000)), "FTP020"),
    (guide(control_ports=(21, 20002)), guide(control_ports=(21, 20001)), "FTP079"),
    (guide(control_ports=(21, 23)), guide(control_ports=(21, 22)), "FTP026"),
])  # fmt: skip
def test_the_border_of_a_rule(just_right: ClusterSpec, just_wrong: ClusterSpec, code: str) -> None:
    assert code not in codes(just_right)
    assert code in codes(just_wrong)


def test_without_an_ipv4_vip_the_helper_has_no_pasv_to_break() -> None:
    only6 = dual(vip=None, floating=None, internal_network=None, active="none")
    assert "FTP083" not in codes(only6)
    assert "FTP085" in codes(only6)


def test_a_quorum_counts_the_servers_of_each_ip_version() -> None:
    spec = dual(quorum=2, real_servers=(FTP1, dataclasses.replace(FTP2, address6=None)))
    assert ["IPv6" in p.reason for p in lint(spec) if p.code == "FTP067"] == [True]


def test_errors_come_first() -> None:
    found = lint(guide(persistence_timeout=0, real_servers=(), vip=IPv4Address("198.51.100.1"), preempt=False))
    severities = [p.severity for p in found]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)
    assert set(severities) == {"error", "warning", "info"}
    assert [p.router for p in found if p.code == "FTP012"] == ["r1", "r2"]


def test_the_vip_must_be_in_each_router_s_network() -> None:
    moved = dataclasses.replace(R2, public_address=IPv4Interface("198.51.100.3/24"))
    assert [(p.code, p.router) for p in lint(guide(routers=(R1, moved)))] == [("FTP012", "r2")]


@settings(max_examples=80, deadline=None)
@given(specs())
def test_no_cluster_is_too_odd_for_the_lint(spec: ClusterSpec) -> None:
    found = lint(spec)
    assert found == lint(spec)
    for problem in found:
        well_said(problem)
        assert problem.router in {"", *(r.name for r in spec.routers)}


@settings(max_examples=80, deadline=None)
@given(sound_specs())
def test_sound_clusters_have_no_errors(spec: ClusterSpec) -> None:
    assert errors(lint(spec)) == []


@settings(max_examples=25, deadline=None)
@given(sound_specs(), st.data())
def test_an_order_of_servers_changes_nothing(spec: ClusterSpec, data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(spec.real_servers))
    assert lint(dataclasses.replace(spec, real_servers=tuple(shuffled))) == lint(spec)
