"""The form of drafts: read off the model, earlier ones translated."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from lbftp.accounts.models import Team
from lbftp.changes.errors import Invalid
from lbftp.clusters import services
from lbftp.clusters.drafts import DRAFT_FIELDS, complete, draft_defaults
from lbftp.clusters.models import Cluster
from lbftp.clusters.specs import spec_of
from lbftp.core.spec import ClusterSpec, from_json
from tests.worlds import World, draft

EARLIER = {
    "vip": "192.0.2.100", "floating": "10.0.50.1", "internal_network": "10.0.50.0/24", "mark": 22, "control_port": 2121,
    "passive": {"low": 30000, "high": 31000}, "scheduler": "rr", "persistence_timeout": 600, "vrid": 31,
    "advert_int": 2, "check": {"delay_loop": 5, "connect_timeout": 2, "retry": 1},
    "routers": [{"name": "r1", "priority": 100}, {"name": "r2", "priority": 50}],
    "real_servers": [{"name": "ftp1", "weight": 3}],
}  # fmt: skip


def test_the_defaults_are_the_models() -> None:
    spec = from_json({**draft_defaults(), "name": "web", "vip": "192.0.2.100"})
    assert spec == ClusterSpec("web", (), (), vip=spec.vip)
    assert {"name", *DRAFT_FIELDS} == {f.name for f in fields(ClusterSpec)}


def test_a_complete_draft_stays_as_it_is() -> None:
    whole = draft()
    assert complete(whole) == whole
    numbers = {"weight": 1, "upper_threshold": 0, "lower_threshold": 0, "disabled": False}
    assert whole["real_servers"][0] == {"name": "ftp1", **numbers}
    assert complete({"vrrp": {"vrid": 9}})["vrrp"] == {**draft_defaults()["vrrp"], "vrid": 9}


def test_names_of_earlier_versions_are_translated() -> None:
    found = complete(EARLIER)
    assert (found["control_ports"], found["mark"], found["check"]["kind"]) == ([2121], 22, "tcp")
    # Both VRRP instances had the one id.
    assert found["vrrp"] == {**draft_defaults()["vrrp"], "vrid": 31, "internal_vrid": 31, "advert_int": 2}
    assert not {"control_port", "vrid", "advert_int"} & set(found)


@pytest.mark.django_db
def test_an_earlier_file_is_loaded(world: World) -> None:
    cluster = services.load(user=world.bob, team=world.team, data={"name": "old", **EARLIER})
    assert cluster.draft == complete(EARLIER)
    assert spec_of(cluster).vrrp.vrid == 31


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("old", "new"), [({"vrid": 31}, {"vrrp": {"group": "x"}}), ({"control_port": 1}, {"control_ports": [2]})]
)
def test_an_old_name_beside_its_new_one_is_refused_and_not_lost(
    world: World, old: dict[str, Any], new: dict[str, Any]
) -> None:
    with pytest.raises(Invalid) as caught:
        services.load(user=world.bob, team=world.team, data={"name": "both", **old, **new})
    assert caught.value.problems[0]["field"] == next(iter(old))


@pytest.mark.django_db(transaction=True)
def test_stored_drafts_are_converted_and_back() -> None:
    """The whole way on a real database, since nobody can edit what the form cannot read."""
    team = Team.objects.create(name="files")
    now = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        before = _migrated([("clusters", "0001_initial")])
        row = before.get_model("clusters", "Cluster").objects.create(team_id=team.pk, name="old", draft=EARLIER)
        _migrated(now)
        assert complete(Cluster.objects.get(pk=row.pk).draft) == complete(EARLIER)
        assert "vrid" not in Cluster.objects.get(pk=row.pk).draft
        again = _migrated([("clusters", "0001_initial")])
        assert again.get_model("clusters", "Cluster").objects.get(pk=row.pk).draft == EARLIER
    finally:
        _migrated(now)


def _migrated(targets: list[tuple[str, str]]) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return executor.loader.project_state(targets).apps
