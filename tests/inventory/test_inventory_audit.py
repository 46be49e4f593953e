"""What is done to machines and credentials is a row of the audit that reads well and holds no secret."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from lbftp.changes.models import Transition
from lbftp.core import hostkey
from lbftp.inventory import services
from lbftp.inventory.models import Credential
from tests.web.conftest import As
from tests.web.conftest import browse as browse  # noqa: PLC0414 - pytest finds a fixture by its name here
from tests.worlds import World, host_key

pytestmark = pytest.mark.django_db
SECRET = "CANARY-of-the-audit-77"


def last() -> Transition:
    return Transition.objects.filter(subject__in=["machine", "credential"]).latest("pk")


def test_machines_that_come_and_go(world: World) -> None:
    router, _run = services.add_router(
        user=world.alice, team=world.team, name="r3", address="127.0.0.1", port=2299, credential=world.key
    )
    row = last()
    assert (row.actor, row.name, row.what) == ("alice", "Router r3", "Added.")
    assert row.after == {"address": "127.0.0.1", "port": 2299, "credential": "routers"}
    services.remove(user=world.alice, thing=router)
    assert (last().name, last().what, last().before) == ("Router r3", "Removed.", row.after)
    services.add_real_server(user=world.alice, team=world.team, name="ftp9", address="10.0.50.19")
    assert (last().name, last().after) == ("Real server ftp9", {"addresses": ["10.0.50.19"]})


def test_what_could_not_be_removed_leaves_no_row(world: World) -> None:
    before = Transition.objects.count()
    with pytest.raises(Exception, match="used by"):
        services.remove(user=world.alice, thing=world.r1)
    assert Transition.objects.count() == before


def test_a_confirmed_host_key(world: World) -> None:
    was = hostkey.fingerprint(world.r1.host_key)
    world.r1.offered_key = host_key()
    world.r1.save(update_fields=["offered_key"])
    now = hostkey.fingerprint(world.r1.offered_key)
    services.confirm_host_key(user=world.alice, host=world.r1, fingerprint=now)
    row = last()
    assert (row.name, row.what, row.before, row.after) == (
        "Router r1", "Host key confirmed.", {"host_key": was}, {"host_key": now},
    )  # fmt: skip


def test_credentials_without_their_secrets(world: World, browse: As) -> None:
    made = services.add_credential(
        user=world.alice,
        team=world.team,
        name="more",
        username="probe",
        kind=Credential.Kind.PASSWORD,
        purpose=Credential.Purpose.FTP,
        secret=SECRET,
    )
    assert (last().name, last().what, last().after["user"]) == ("more", "Added.", "probe")
    services.replace_secret(user=world.alice, credential=made, secret=f"{SECRET}-2")
    services.remove(user=world.alice, thing=made)
    rows = list(Transition.objects.filter(subject="credential").values("name", "what", "before", "after", "reason"))
    assert [row["what"] for row in rows] == ["Added.", "Secret replaced.", "Removed."]
    assert SECRET not in json.dumps(rows)
    page = browse(world.alice).get(reverse("changes:audit")).content.decode()
    assert "Secret replaced." in page
    assert SECRET not in page
