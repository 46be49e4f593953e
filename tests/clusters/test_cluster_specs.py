from __future__ import annotations

from typing import Any

import pytest

from lbftp.clusters.drafts import draft_defaults
from lbftp.clusters.models import Cluster
from lbftp.clusters.services import save_draft
from lbftp.clusters.specs import check_draft, spec_of, spec_of_draft
from lbftp.core.spec import SpecError, from_json, to_json
from tests.worlds import World, applied, draft, draft6, edit, facts

pytestmark = pytest.mark.django_db


def test_a_draft_and_the_inventory_make_a_spec(world: World) -> None:
    spec = spec_of(world.cluster)
    assert [(r.name, str(r.public_address), str(r.internal_address), r.priority) for r in spec.routers] == [
        ("r1", "192.0.2.2/24", "10.0.50.2/24", 100),
        ("r2", "192.0.2.3/24", "10.0.50.3/24", 50),
    ]
    assert [(s.name, str(s.address)) for s in spec.real_servers] == [("ftp1", "10.0.50.11"), ("ftp2", "10.0.50.12")]
    assert from_json(to_json(spec)) == spec
    assert not [p for p in check_draft(world.cluster, world.team) if p["severity"] == "error"]


def test_floating_addresses_are_never_the_routers_own(world: World) -> None:
    """The master holds the VIPs beside its own address when it is looked at."""
    seen = facts("r1", 1)
    seen["interfaces"][1]["addresses"] = ["192.0.2.100/24", "192.0.2.200/32", "192.0.2.2/24"]
    seen["interfaces"][2]["addresses"] = ["10.0.50.1/24", "10.0.50.2/24"]
    world.r1.facts = seen
    world.r1.save()
    Cluster.objects.create(team=world.team, name="other", draft=draft(vip="192.0.2.200"))
    router = spec_of(world.cluster).router("r1")
    assert (str(router.public_address), str(router.internal_address)) == ("192.0.2.2/24", "10.0.50.2/24")


def test_of_several_own_addresses_the_one_in_the_vips_network(world: World) -> None:
    world.r1.facts["interfaces"][1]["addresses"] = ["198.51.100.7/24", "192.0.2.2/24"]
    world.r1.save()
    assert str(spec_of(world.cluster).router("r1").public_address) == "192.0.2.2/24"


def test_a_cluster_over_both_ip_versions_has_both_addresses_of_every_machine(world: World) -> None:
    edit(world, world.bob, **draft6())
    spec = spec_of(Cluster.objects.get(pk=world.cluster.pk))
    r1 = spec.router("r1")
    assert (str(r1.public_address), str(r1.internal_address)) == ("192.0.2.2/24", "10.0.50.2/24")
    assert (str(r1.public_address6), str(r1.internal_address6)) == ("2001:db8::2/64", "fd00:50::2/64")
    assert [str(s.address6) for s in spec.real_servers] == ["fd00:50::11", "fd00:50::12"]
    assert [str(side.vip) for side in spec.sides] == ["192.0.2.100", "2001:db8::100"]
    assert not [p for p in check_draft(draft6(), world.team, name="web") if p["severity"] == "error"]


def test_addresses_of_an_ip_version_that_a_cluster_lacks_are_left_out(world: World) -> None:
    """So that a router's new IPv6 address does not make another spec of an IPv4 cluster."""
    before = spec_of(world.cluster)
    assert before.router("r1").public_address6 is None
    world.r1.facts["interfaces"][1]["addresses"].append("2001:db8::77/64")
    world.r1.save()
    assert spec_of(world.cluster) == before
    only6 = draft6(vip="", floating="", internal_network="")
    router = spec_of_draft(only6, world.team, "six").router("r1")
    assert (router.public_address, str(router.public_address6)) == (None, "2001:db8::2/64")


def test_of_ipv6_addresses_neither_link_local_nor_floating_ones_are_the_routers_own(world: World) -> None:
    Cluster.objects.create(team=world.team, name="other", draft=draft6(vip6="2001:DB8:0::0200", vip="192.0.2.200"))
    interfaces = world.r1.facts["interfaces"]
    interfaces[1]["addresses"] = ["fe80::1/64", "2001:db8::100/64", "2001:db8::200/128", "2001:db8::2/64"]
    world.r1.save()
    assert str(spec_of_draft(draft6(), world.team, "web").router("r1").public_address6) == "2001:db8::2/64"
    interfaces[1]["addresses"] = ["fe80::1/64"]
    world.r1.save()
    assert spec_of_draft(draft6(), world.team, "web").router("r1").public_address6 is None
    assert "FTP052" in {p["code"] for p in check_draft(draft6(), world.team, name="web")}


def test_what_nat_needs_is_the_lints_to_ask_for(world: World) -> None:
    bare = {"floating": "", "internal_network": ""}
    problems = check_draft(draft(**bare), world.team, name="web")
    assert {"floating", "internal_network"} <= {p["field"] for p in problems if p["severity"] == "error"}
    direct = draft(**bare, mode="advertise", forwarding="DR")
    assert not {"floating", "internal_network"} & {p["field"] for p in check_draft(direct, world.team, name="web")}


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"vip": ""}, "vip", "missing"),
        ({"vip6": "192.0.2.1"}, "vip6", "not an IPv6 address"),
        ({"control_ports": "21"}, "control_ports", "not a list"),
        ({"vrrp": {"vrid": 0}}, "vrid", "1 to 255"),
        ({"vrrp": {"vird": 1}}, "cluster", "expected form"),
        ({"real_servers": [{"name": "ftp1", "lower_threshold": 5}]}, "lower_threshold", "above the upper one"),
        ({"vip": "192.0.2"}, "vip", "not an IPv4 address"),
        ({"routers": [{"name": "r9", "priority": 1}]}, "routers", "not in the team's inventory"),
        ({"real_servers": [{"name": "ftp9", "weight": 1}]}, "real_servers", "not in the team's inventory"),
        ({"routers": "r1"}, "routers", "list of entries"),
        ({"passive": {"low": 20000, "high": 10000}}, "passive_high", "reversed"),
        ({"scheduler": "best"}, "scheduler", "not a scheduler"),
        ({"quorum_up": "x"}, "quorum_up", "not a field"),
        ({"mark": "21"}, "mark", "whole number"),
        ({"routers": [{"name": "r1", "priority": 255}]}, "priority", "1 to 254"),
    ],
)
def test_what_does_not_fit_is_named(world: World, changes: dict[str, Any], field: str, words: str) -> None:
    world.cluster.draft = {**draft(), **changes}
    with pytest.raises(SpecError) as caught:
        spec_of(world.cluster)
    assert caught.value.field == field
    assert words in caught.value.message
    problems = check_draft(world.cluster, world.team)
    assert [(p["severity"], p["field"]) for p in problems] == [("error", field)]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"facts": {}}, "never looked at"),
        ({"public_interface": ""}, "is not chosen"),
    ],
)
def test_a_router_has_to_be_known(world: World, columns: dict[str, Any], words: str) -> None:
    for name, value in columns.items():
        setattr(world.r2, name, value)
    world.r2.save()
    with pytest.raises(SpecError, match=words) as caught:
        spec_of(world.cluster)
    assert caught.value.field == "routers"
    assert "r2" in caught.value.message


def test_routers_of_other_teams_are_not_there(world: World) -> None:
    world.r2.team = world.other_team
    world.r2.save()
    with pytest.raises(SpecError, match="'r2' is not in the team's inventory"):
        spec_of(world.cluster)


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"floating": "10.99.0.9"}, "floating"), ({"internal_network": "10.9.0.0/24"}, "real_servers")],
)
def test_the_lint_speaks(world: World, changes: dict[str, Any], field: str) -> None:
    problems = check_draft(draft(**changes), world.team, name="web", cluster=world.cluster)
    assert field in {p["field"] for p in problems if p["severity"] == "error"}
    assert [p["severity"] for p in problems] == sorted((p["severity"] for p in problems), key=lambda s: s != "error")


def test_two_clusters_on_one_pair_may_not_share_mark_vip_and_vrid(world: World) -> None:
    applied(world)
    problems = check_draft(draft(), world.team, name="second")
    assert {"mark", "vip", "vrid"} <= {p["field"] for p in problems}
    assert not [
        p for p in check_draft(draft(), world.team, name="web", cluster=world.cluster) if p["severity"] == "error"
    ]


def test_defaults_are_the_guides(world: World) -> None:
    defaults = draft_defaults()
    assert (defaults["mark"], defaults["passive"]) == (21, {"low": 10000, "high": 20000})
    cluster = save_draft(
        user=world.bob, team=world.team, cluster=None, name="new", comment="", draft=defaults,
        probe_account=None, probe_path="",
    )  # fmt: skip
    assert cluster.draft == defaults


def test_an_edit_changes_the_draft_and_no_revision(world: World) -> None:
    change = applied(world)
    before = change.revision.spec
    edit(world, world.bob, mark=99)
    change.revision.refresh_from_db()
    assert change.revision.spec == before
    assert spec_of(Cluster.objects.get(name="web")).mark == 99
