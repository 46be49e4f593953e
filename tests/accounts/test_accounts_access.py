from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404

from lbftp.accounts import access
from lbftp.accounts.models import Membership, Role
from lbftp.changes.models import Approval, ChangeRequest, Lease, Run, RunEvent, Transition
from lbftp.changes.services import runs
from lbftp.clusters.models import Cluster, Revision
from lbftp.compliance.models import Policy
from lbftp.inventory.models import Credential, ProbeHost, RealServer, Router
from tests.worlds import World, applied

# Models of lbftp that belong to no team and are handed to nobody by id.
_TEAMLESS = {
    "health.pulse",
    "accounts.account",
    "accounts.firstcode",
    "accounts.gate",
    "accounts.signin",
    "accounts.passwordtry",
}
_EVERYTHING: list[type[Model]] = [
    Credential, Router, ProbeHost, RealServer, Cluster, Revision, ChangeRequest, Approval, Run, RunEvent, Transition,
]  # fmt: skip


def test_every_model_has_a_way_to_its_team() -> None:
    ours = {m._meta.label_lower for a in apps.get_app_configs() if a.name.startswith("lbftp.") for m in a.get_models()}
    assert ours - _TEAMLESS == set(access._TEAM_OF)


@pytest.mark.django_db
def test_each_way_leads_to_the_team(world: World) -> None:
    applied(world)
    Policy.objects.create(cluster=world.cluster)
    models: list[type[Model]] = [*_EVERYTHING, Policy]
    for model in models:
        rows: list[Model] = list(access.visible(world.victor, model))
        assert rows, model
        assert {access.team_of(row) for row in rows} == {world.team}
        assert not access.visible(world.mallory, model).exclude(pk__in=[]).filter(pk__in=[r.pk for r in rows]).exists()


@pytest.mark.parametrize(
    ("who", "get", "get_writable", "get_managed"),
    [
        ("alice", None, None, None),
        ("bob", None, None, PermissionDenied),
        ("victor", None, PermissionDenied, PermissionDenied),
        ("mallory", Http404, Http404, Http404),
        ("root", Http404, Http404, Http404),
        ("nobody", Http404, Http404, Http404),
    ],
)
@pytest.mark.django_db
def test_access_table(world: World, who: str, get: Any, get_writable: Any, get_managed: Any) -> None:
    user = getattr(world, who, AnonymousUser())
    for model, row in ((Cluster, world.cluster), (Router, world.r1), (Credential, world.key)):
        for ask, error in ((access.get, get), (access.get_writable, get_writable), (access.get_managed, get_managed)):
            if error is None:
                assert ask(user, model, pk=row.pk) == row
            else:
                with pytest.raises(error):
                    ask(user, model, pk=row.pk)


@pytest.mark.django_db
def test_a_locked_account_sees_nothing(world: World) -> None:
    world.alice.is_active = False
    assert not access.visible(world.alice, Cluster).exists()
    assert access.role_of(world.alice, world.team) is None


@pytest.mark.django_db
def test_roles_include_the_lesser_ones(world: World) -> None:
    def can(user: User) -> list[bool]:
        return [access.has_role(user, world.team, role) for role in (Role.VIEWER, Role.OPERATOR, Role.ADMIN)]

    assert can(world.victor) == [True, False, False]
    assert can(world.bob) == [True, True, False]
    assert can(world.alice) == [True, True, True]
    assert can(world.root) == [False, False, False]


@pytest.mark.django_db
def test_leaving_the_team_ends_access(world: World) -> None:
    Membership.objects.filter(user=world.bob).delete()
    with pytest.raises(Http404):
        access.get(world.bob, Cluster, pk=world.cluster.pk)


@pytest.mark.django_db
def test_leases_are_the_teams(world: World) -> None:
    run = runs.start(kind=Run.Kind.FACTS, team=world.team, host=world.r1)
    job = runs.claim(run_id=run.pk, worker="w")
    assert job is not None
    runs.take_leases(run_id=run.pk, fence=job.fence, router_names=["r1"])
    assert access.team_of(access.get(world.victor, Lease, router=world.r1)) == world.team
