from __future__ import annotations

import dataclasses
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from lbftp.core.lint import lint, lint_others
from lbftp.core.spec import ClusterSpec, PortRange, RealServerSpec
from tests.core.cases import GUIDE, R1, R2, guide


def codes(spec: ClusterSpec) -> set[str]:
    return {p.code for p in lint(spec)}


def test_the_guide_s_cluster_has_no_problems() -> None:
    assert lint(GUIDE) == []


@pytest.mark.parametrize(("spec", "code"), [
    (guide(routers=(R1,)), "FTP001"),
    (guide(routers=(R1, dataclasses.replace(R2, priority=150))), "FTP002"),
    (guide(real_servers=()), "FTP003"),
    (guide(real_servers=GUIDE.real_servers[:1]), "FTP004"),
    (guide(real_servers=tuple(dataclasses.replace(s, weight=0) for s in GUIDE.real_servers)), "FTP005"),
    (guide(real_servers=(*GUIDE.real_servers, RealServerSpec("far", IPv4Address("10.9.0.1")))), "FTP010"),
    (guide(floating=IPv4Address("10.9.0.1")), "FTP011"),
    (guide(vip=IPv4Address("198.51.100.1")), "FTP012"),
    (guide(internal_network=IPv4Network("10.9.0.0/24")), "FTP013"),
    (guide(routers=(dataclasses.replace(R1, internal_interface="pub0"), R2)), "FTP014"),
    (guide(vip=IPv4Address("192.0.2.2")), "FTP015"),
    (guide(floating=GUIDE.vip), "FTP016"),
    (guide(passive=PortRange(1024, 40000)), "FTP022"),
    (guide(passive=PortRange(10000, 10049)), "FTP023"),
    (guide(persistence_timeout=0), "FTP030"),
    (guide(persistence_timeout=60), "FTP031"),
    (guide(persistence_timeout=7200), "FTP032"),
    (guide(control_ports=(2121,)), "FTP021"),
    (guide(control_ports=(12000,)), "FTP020"),
])  # fmt: skip
def test_each_rule_finds_its_problem(spec: ClusterSpec, code: str) -> None:
    assert code in codes(spec)
    for problem in lint(spec):
        assert problem.reason.endswith(".")
        assert problem.remedy.endswith(".")
        assert problem.field


def test_errors_come_first() -> None:
    severities = [p.severity for p in lint(guide(persistence_timeout=0, real_servers=()))]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)


@pytest.mark.parametrize(("changes", "code"), [
    ({"mark": 21}, "FTP040"), ({"vip": GUIDE.vip}, "FTP041"), ({"vrid": 21}, "FTP042"),
    ({"floating": GUIDE.floating}, "FTP043"),
])  # fmt: skip
def test_clusters_on_the_same_routers_share_nothing(changes: dict[str, object], code: str) -> None:
    apart = {"mark": 22, "vip": IPv4Address("192.0.2.101"), "vrid": 22, "floating": IPv4Address("10.0.50.4")}
    assert lint_others(guide(name="two", **apart), [GUIDE]) == []
    assert [p.code for p in lint_others(guide(name="two", **{**apart, **changes}), [GUIDE])] == [code]


def test_clusters_on_other_routers_do_not_matter() -> None:
    elsewhere = guide(name="two", routers=(dataclasses.replace(R1, name="r8"), dataclasses.replace(R2, name="r9")))
    assert lint_others(elsewhere, [GUIDE]) == []


def test_a_cluster_is_not_compared_with_its_own_former_self() -> None:
    assert lint_others(GUIDE, [GUIDE]) == []


def test_the_vip_must_be_in_each_router_s_network() -> None:
    moved = dataclasses.replace(R2, public_address=IPv4Interface("198.51.100.3/24"))
    assert [(p.code, p.router) for p in lint(guide(routers=(R1, moved)))] == [("FTP012", "r2")]


def test_every_code_is_documented_and_every_documented_code_exists() -> None:
    import re

    root = Path(__file__).parents[2]
    code = "".join((root / "lbftp/core" / name).read_text() for name in ("lint.py", "preflight.py"))
    documented = (root / "docs/lint.md").read_text()
    assert set(re.findall(r"FTP\d{3}", documented)) == set(re.findall(r'"(FTP\d{3})"', code))
