"""A secret is for one purpose: what logs in over SSH is never sent in clear over FTP, whoever chooses it, and wherever."""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from django.apps import apps
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.urls import reverse

from lbftp.changes import services as changes
from lbftp.changes.errors import Invalid, Refused, ServiceError
from lbftp.changes.models import Run, Transition
from lbftp.changes.services import runs
from lbftp.changes.services.jobs import access_to, accesses, job_for
from lbftp.clusters import services as clusters
from lbftp.clusters.forms import ClusterForm
from lbftp.clusters.models import Cluster
from lbftp.inventory import services
from lbftp.inventory.forms import ProbeHostForm, RouterForm, ServerHostForm
from lbftp.inventory.models import Credential, ProbeHost, Router, ServerHost
from lbftp.numbers import services as numbers
from lbftp.proofs.services import proposing
from tests.conftest import Race
from tests.web.conftest import As, browse  # noqa: F401 - the fixture
from tests.worlds import World, applied, edit, private_key

P = Credential.Purpose
# Every column that leads to a credential, with what a credential has to be for there.
RELATIONS: Final = {
    ("inventory.router", "credential"): P.SSH,
    ("inventory.probehost", "credential"): P.SSH,
    ("inventory.serverhost", "credential"): P.SSH,
    ("clusters.cluster", "probe_account"): P.FTP,
}


@pytest.fixture
def password(world: World) -> Credential:
    """An SSH login by password, which an FTP server would be sent just as well."""
    return Credential.objects.create(
        team=world.team, name="by password", username="root", kind="password", secret="CANARY-root-password"
    )


def test_the_table_has_every_relation_to_a_credential() -> None:
    models = apps.get_models(include_auto_created=True)
    columns = [(model, field) for model in models for field in model._meta.get_fields()]
    found = {
        (model._meta.label_lower, field.name)
        for model, field in columns
        if field.concrete and field.related_model is Credential
    }
    assert found == set(RELATIONS)


# What takes a credential by its row, and for what: forms and pages, services, the command line.

Taken = Callable[[World, Credential], Any]


def _host(world: World, **values: Any) -> dict[str, Any]:
    return {"user": world.alice, "team": world.team, "name": "new", "address": "192.0.2.9", "port": 22, **values}


def _load(world: World, account: Credential) -> None:
    data = clusters.dump(world.cluster)
    clusters.load(user=world.bob, team=world.team, data={**data, "probe": {**data["probe"], "account": account.name}})


def _save(world: World, account: Credential) -> None:
    Cluster.objects.filter(pk=world.cluster.pk).update(probe_account=account)
    edit(world, world.bob, mark=22)


SERVICES: Final[dict[str, tuple[Credential.Purpose, Taken]]] = {
    "add_router": (P.SSH, lambda world, one: services.add_router(**_host(world, credential=one))),
    "add_probe_host": (P.SSH, lambda world, one: services.add_probe_host(**_host(world, credential=one))),
    "give_access": (
        P.SSH,
        lambda world, one: services.give_access(
            user=world.alice, server=world.ftp1, address="10.0.50.11", port=22, credential=one
        ),
    ),
    "save_draft": (P.FTP, _save),
    "load": (P.FTP, _load),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(SERVICES))
@pytest.mark.parametrize("kind", ["key", "password", "ftp"])
def test_services_refuse_the_other_purpose(world: World, password: Credential, name: str, kind: str) -> None:
    credential = {"key": world.key, "password": password, "ftp": world.account}[kind]
    purpose, take = SERVICES[name]
    if credential.purpose == purpose:
        take(world, credential)
        return
    with pytest.raises(Invalid) as caught:
        take(world, credential)
    assert caught.value.problems[0]["field"] == ("credential" if purpose == P.SSH else "probe_account")
    assert credential.name in caught.value.message
    assert not Router.objects.filter(name="new").exists()
    assert not ProbeHost.objects.filter(name="new").exists()
    assert not ServerHost.objects.exists()


@pytest.mark.django_db
def test_forms_offer_what_fits_and_take_nothing_else(world: World, password: Credential) -> None:
    for form in (RouterForm, ProbeHostForm, ServerHostForm):
        offered = form(team=world.team).fields["credential"].queryset  # type: ignore[attr-defined]
        assert set(offered) == {world.key, password}
        assert "credential" in form({"credential": str(world.account.pk)}, team=world.team).errors
        assert "credential" not in form({"credential": str(world.key.pk)}, team=world.team).errors

    for cluster in (None, world.cluster):
        offered = ClusterForm(team=world.team, cluster=cluster).fields["probe_account"].queryset  # type: ignore[attr-defined]
        assert set(offered) == {world.account}
        for one in (world.key, password):
            assert "probe_account" in ClusterForm({"probe_account": str(one.pk)}, team=world.team).errors
        assert "probe_account" not in ClusterForm({"probe_account": str(world.account.pk)}, team=world.team).errors


PAGES: Final = {
    "inventory:add-router": {"name": "new", "address": "192.0.2.9", "port": "22"},
    "inventory:add-probe-host": {"name": "new", "address": "192.0.2.9", "port": "22"},
    "inventory:give-access": {"address": "192.0.2.9", "port": "22"},
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(PAGES))
def test_pages_take_no_ftp_account_to_log_in_with(world: World, browse: As, name: str) -> None:  # noqa: F811
    url = reverse(name, args=[world.ftp1.pk] if name == "inventory:give-access" else [])
    page = browse(world.alice).post(url, {**PAGES[name], "credential": str(world.account.pk)})
    assert page.status_code == 422
    assert Run.objects.count() == 0


@pytest.mark.django_db
def test_the_command_line_takes_no_ssh_credential_as_account(
    world: World, password: Credential, tmp_path: Path
) -> None:
    data = clusters.dump(world.cluster)
    file = tmp_path / "web.yml"
    file.write_text(yaml.safe_dump({**data, "probe": {**data["probe"], "account": password.name}}))
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("lbftp", "load", str(file), "--user", "bob", stdout=out, stderr=err)
    assert ended.value.code == 2
    assert "probe_account" in err.getvalue()
    assert "in clear" in err.getvalue()
    world.cluster.refresh_from_db()
    assert world.cluster.probe_account == world.account


# Whatever a row says: what hands secrets to workers decides once more.


def _every_job(world: World) -> list[tuple[str, Callable[[], object]]]:
    """Each way in which a worker gets at a secret, by the relation that it comes from."""
    verify = changes.verify(user=world.bob, cluster=world.cluster)
    comply = changes.comply(user=None, cluster=world.cluster, reapply=True)
    facts = services.look_again(user=world.bob, host=world.r1)
    probe = services.look_again(user=world.bob, host=world.client)
    bring = runs.start(kind=Run.Kind.IMPORT, team=world.team, user=world.bob, router_ids=[world.r1.pk])
    of_cluster = [("cluster", lambda run=run: job_for(run)) for run in (verify, comply)]
    of_router = [("router", lambda run=run: job_for(run)) for run in (facts, bring)]
    return [
        *of_cluster,
        *of_router,
        ("probehost", lambda: job_for(probe)),
        ("router", lambda: access_to(world.r1)),
        ("router", lambda: accesses(world.team, ["r1"])),
    ]


@pytest.mark.django_db
def test_jobs_refuse_an_ssh_credential_as_account(world: World, password: Credential) -> None:
    applied(world)
    jobs = _every_job(world)
    for one in (world.key, password):
        Cluster.objects.filter(pk=world.cluster.pk).update(probe_account=one)
        for run in Run.objects.filter(cluster=world.cluster, state="queued"):
            with pytest.raises(Refused, match="in clear"):
                job_for(run)
    Cluster.objects.filter(pk=world.cluster.pk).update(probe_account=world.account)
    assert all(job() for _, job in jobs)


@pytest.mark.django_db
def test_jobs_refuse_an_ftp_account_to_log_in_with(world: World) -> None:
    applied(world)
    jobs = _every_job(world)
    Router.objects.update(credential=world.account)
    ProbeHost.objects.update(credential=world.account)
    for row in (world.r1, world.client):
        row.refresh_from_db()
    for relation, job in jobs:
        with pytest.raises(Refused, match="FTP account"):
            job()
        assert relation
    numbers.watch_all(now=world.r1.facts_at or _now())
    assert numbers.claim_due(now=_now()) == []


def _now() -> Any:
    from django.utils import timezone

    return timezone.now()


@pytest.mark.django_db
def test_a_run_ends_with_a_sentence_and_sends_nothing(world: World, password: Credential) -> None:
    applied(world)
    Cluster.objects.filter(pk=world.cluster.pk).update(probe_account=password)
    run = changes.verify(user=world.bob, cluster=world.cluster)
    assert runs.claim(run_id=run.pk, worker="w") is None
    run.refresh_from_db()
    assert "is an SSH credential" in run.outcome
    assert "Choose an FTP account in the form of web" in run.outcome
    assert "CANARY" not in run.outcome


@pytest.mark.django_db
def test_a_proof_that_needs_sessions_is_not_proposed(world: World, password: Credential) -> None:
    applied(world)
    Cluster.objects.filter(pk=world.cluster.pk).update(probe_account=password)
    world.cluster.refresh_from_db()
    with pytest.raises(Refused, match="Choose an FTP account"):
        proposing.failover(user=world.bob, cluster=world.cluster)


@pytest.mark.django_db
def test_the_page_of_the_cluster_tells_it(world: World, browse: As, password: Credential) -> None:  # noqa: F811
    url = reverse("clusters:cluster", args=[world.cluster.pk])
    assert "the account cannot be used" not in browse(world.bob).get(url).content.decode()
    Cluster.objects.filter(pk=world.cluster.pk).update(probe_account=password)
    for user in (world.bob, world.victor):
        page = browse(user).get(url).content.decode()
        assert "the account cannot be used" in page
        assert "by password is an SSH credential" in page


# What a credential is for.


def _add(world: World, **changes: Any) -> Credential:
    values = {"name": "new", "username": "u", "kind": "password", "secret": "a secret"}
    return services.add_credential(user=world.alice, team=world.team, **{**values, **changes})


@pytest.mark.django_db
def test_an_ftp_account_is_a_password_without_sudo(world: World) -> None:
    assert _add(world, purpose="ftp").purpose == P.FTP
    cases: list[tuple[str, dict[str, Any]]] = [
        ("kind", {"kind": "key", "secret": private_key()}),
        ("use_sudo", {"use_sudo": True}),
        ("use_sudo", {"sudo_password": "x"}),
        ("purpose", {"purpose": "both"}),
        ("secret", {"secret": private_key()}),
        ("secret", {"secret": "x\r\nSITE CHMOD 777 /"}),
        ("secret", {"secret": "x\0"}),
    ]
    for field, wrong in cases:
        with pytest.raises(Invalid) as caught:
            _add(world, **{"name": "other", "purpose": "ftp", **wrong})
        assert caught.value.problems[0]["field"] == field
    with pytest.raises(Invalid):
        services.replace_secret(user=world.alice, credential=world.account, secret="x", sudo_password="y")


@pytest.mark.django_db
def test_the_database_holds_no_ftp_account_with_a_key_or_sudo(world: World) -> None:
    for wrong in ({"kind": "key"}, {"use_sudo": True}, {"sudo_password": "x"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Credential.objects.filter(pk=world.account.pk).update(**wrong)


@pytest.mark.django_db
def test_an_ftp_account_is_added_on_the_page(world: World, browse: As) -> None:  # noqa: F811
    typed = {"name": "new", "purpose": "ftp", "username": "u", "secret": "a secret"}
    admin, url = browse(world.alice), reverse("inventory:add-credential")
    assert admin.post(url, {**typed, "kind": "key"}).status_code == 302
    row = Credential.objects.get(name="new")
    assert (row.purpose, row.kind) == (P.FTP, "password")
    assert admin.post(url, {**typed, "name": "n2", "use_sudo": "on"}).status_code == 422
    assert admin.post(url, {**typed, "name": "n2", "purpose": ""}).status_code == 422
    assert "FTP account for test sessions" in admin.get(reverse("inventory:credentials")).content.decode()


@pytest.mark.django_db
def test_the_purpose_changes_only_while_nothing_uses_it(world: World, browse: As, password: Credential) -> None:  # noqa: F811
    for used, purpose in ((world.key, "ftp"), (world.account, "ssh")):
        with pytest.raises(ServiceError):
            services.set_purpose(user=world.alice, credential=used, purpose=purpose)
    with pytest.raises(Refused):
        services.set_purpose(user=world.bob, credential=password, purpose="ftp")
    assert Transition.objects.filter(subject="credential").count() == 0

    url = reverse("inventory:credential-purpose", args=[password.pk])
    assert browse(world.alice).post(url, {"purpose": "ftp"}).status_code == 302
    password.refresh_from_db()
    assert password.purpose == P.FTP
    row = Transition.objects.get(subject="credential")
    assert (row.before, row.after, row.user) == ({"purpose": "ssh"}, {"purpose": "ftp"}, world.alice)


@pytest.mark.django_db(transaction=True)
def test_nobody_takes_into_use_what_becomes_something_else(world: World, race: Race, password: Credential) -> None:
    for number in range(5):
        Credential.objects.filter(pk=password.pk).update(purpose="ssh")
        Router.objects.filter(credential=password).delete()
        race(
            lambda: services.set_purpose(user=world.alice, credential=password, purpose="ftp"),
            lambda n=number: services.add_router(**_host(world, name=f"n{n}", credential=password)),
        )
        password.refresh_from_db()
        assert (password.purpose == P.FTP) != Router.objects.filter(credential=password).exists()


# Rows of before.


@pytest.mark.django_db
def test_what_was_stored_before_is_told_apart_by_its_use(world: World, password: Credential) -> None:
    both = Credential.objects.create(team=world.team, name="both", username="u", kind="password", secret="s")
    with_sudo = Credential.objects.create(
        team=world.team, name="sudo", username="u", kind="password", secret="s", use_sudo=True
    )
    clusters_of = {"web": world.account, "b": both, "s": with_sudo}
    for name, account in clusters_of.items():
        Cluster.objects.update_or_create(team=world.team, name=name, defaults={"probe_account": account})
    Router.objects.filter(pk=world.r2.pk).update(credential=both)
    Credential.objects.update(purpose="ssh")

    import_module("lbftp.inventory.migrations.0004_credentials_have_a_purpose")._tell_apart(apps, None)

    found = dict(Credential.objects.values_list("name", "purpose"))
    assert found == {"ftp": "ftp", "routers": "ssh", "by password": "ssh", "both": "ssh", "sudo": "ssh"}
