"""A key file that is lost, another one, or changed: no page breaks, nothing is sealed with a key made in silence, what
needs a secret says so, and all secrets are sealed with a new key while the site goes on."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client
from django.urls import reverse

from lbftp.changes import services as changes
from lbftp.changes.errors import Refused
from lbftp.changes.models import Transition
from lbftp.changes.services import runs
from lbftp.changes.services.jobs import job_for
from lbftp.inventory import crypto, sealing, services
from lbftp.inventory.crypto import Sealed, opened
from lbftp.inventory.models import Credential
from tests.web.conftest import As, browse  # noqa: F401 - the fixture
from tests.web.opened import opened as seen_on
from tests.web.test_web_hostile_input import addresses, keys  # noqa: F401 - the fixture
from tests.worlds import CANARY_FTP, CANARY_KEY, CANARY_SUDO, World, applied, private_key


@pytest.fixture(autouse=True)
def key_file(tmp_path: Path) -> Iterator[Path]:
    """Each test's own; the world is sealed with it."""
    before = settings.SECRETS_KEY_FILE
    settings.SECRETS_KEY_FILE = tmp_path / "secrets.key"
    yield settings.SECRETS_KEY_FILE
    settings.SECRETS_KEY_FILE = before


Break = Callable[[Path], None]
BREAKS: dict[str, Break] = {
    "missing": lambda file: file.unlink(),
    "another": lambda file: _write(file, Fernet.generate_key().decode()),
    "empty": lambda file: _write(file, ""),
    "no key": lambda file: _write(file, "this is no key"),
    "binary": lambda file: _write(file, b"\xff\xfe\0"),
}


def _write(file: Path, text: str | bytes) -> None:
    file.write_bytes(text if isinstance(text, bytes) else f"{text}\n".encode())


def command(*words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("lbftp", "secrets", *words, stdout=out, stderr=err)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize("how", ["missing", "another", "no key"])
def test_every_page_answers(world: World, keys: dict[str, list[Any]], key_file: Path, how: str) -> None:  # noqa: F811
    client = Client(raise_request_exception=False)
    client.force_login(world.alice)
    routes = addresses(keys)
    before = {name: client.get(url).status_code for name, url in routes.items()}
    BREAKS[how](key_file)
    after = {name: client.get(url).status_code for name, url in routes.items()}
    assert after == before
    posted = {name: client.post(url).status_code for name, url in routes.items() if name != "accounts:logout"}
    assert {name: status for name, status in posted.items() if status >= 500} == {}


@pytest.mark.django_db
@pytest.mark.parametrize("how", sorted(BREAKS))
def test_no_key_is_made_while_sealed_rows_exist(world: World, browse: As, key_file: Path, how: str) -> None:  # noqa: F811
    BREAKS[how](key_file)
    there = key_file.read_bytes() if key_file.exists() else None
    rows = list(Credential.objects.values_list("secret", flat=True))
    admin, url = browse(world.alice), reverse("inventory:credential", args=[world.key.pk])
    page = admin.post(url, {**seen_on(admin, url), "secret": private_key()})
    if how == "another":
        # It is the site's key now, and the secret is entered anew.
        assert page.status_code == 302
        assert sealing.lost_of([Credential.objects.get(pk=world.key.pk)]) != []
        admin.post(url, {**seen_on(admin, url), "secret": private_key(), "sudo_password": "new"})
        assert sealing.lost_of([Credential.objects.get(pk=world.key.pk)]) == []
        return
    assert page.status_code == 422
    assert "Nothing was saved. The key file" in page.content.decode()
    assert (key_file.read_bytes() if key_file.exists() else None) == there
    assert list(Credential.objects.values_list("secret", flat=True)) == rows
    added = {"name": "n", "purpose": "ftp", "username": "u", "secret": "s"}
    assert admin.post(reverse("inventory:add-credential"), added).status_code == 422
    assert not Credential.objects.filter(name="n").exists()


@pytest.mark.django_db
def test_the_first_secret_makes_the_key(db: None, key_file: Path) -> None:
    assert not key_file.exists()
    assert crypto.encrypt("a", in_use=lambda: False)
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in key_file.parent.iterdir()] == [key_file.name]


@pytest.mark.django_db
@pytest.mark.parametrize("how", sorted(BREAKS))
def test_it_is_said_wherever_it_matters(world: World, browse: As, key_file: Path, how: str) -> None:  # noqa: F811
    listing = reverse("inventory:credentials")
    assert "cannot be opened" not in browse(world.victor).get(listing).content.decode()
    assert sealing.problem() == ""
    assert command("check") == (0, "Every stored secret can be opened.\n", "")

    applied(world)
    run = changes.verify(user=world.bob, cluster=world.cluster)
    BREAKS[how](key_file)
    page = browse(world.victor).get(listing).content.decode()
    assert "2 secrets cannot be opened" in page
    assert "ftp, routers" in page
    assert "secrets" in sealing.problem()
    status, out, err = command("check", "--json")
    assert (status, len(json.loads(out)["lost"])) == (1, 3)
    assert "cannot be opened: routers (files): sudo password" in err

    assert runs.claim(run_id=run.pk, worker="w") is None
    run.refresh_from_db()
    assert "The secret of the credential routers cannot be used." in run.outcome
    assert "Put the key file back" in run.outcome


@pytest.mark.django_db
def test_a_row_that_was_read_is_sealed(world: World) -> None:
    row = Credential.objects.get(pk=world.key.pk)
    assert isinstance(row.secret, Sealed)
    assert CANARY_KEY not in repr(row.secret) + str(row.secret) + f"{row.secret}"
    assert opened(row.secret) == CANARY_KEY
    before = _tokens()
    row.name = "renamed"
    row.save()
    assert _tokens() == before


def _tokens() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("select secret, sudo_password from inventory_credential order by id")
        return [(row[0], row[1]) for row in cursor.fetchall()]


@pytest.mark.django_db
def test_all_are_sealed_with_a_new_key(world: World, key_file: Path) -> None:
    before, old = _tokens(), key_file.read_text().split()
    # A process that runs for long has read the file before.
    assert opened(Credential.objects.get(pk=world.key.pk).secret) == CANARY_KEY
    status, out, _ = command("rotate", "--json")
    assert (status, json.loads(out)) == (0, {"sealed": 3, "dropped": False, "lost": []})
    new = key_file.read_text().split()
    assert (len(new), new[1:]) == (2, old)
    assert all(a != b for a, b in zip(_tokens(), before, strict=True))
    row = Credential.objects.get(pk=world.key.pk)
    assert isinstance(row.secret, Sealed)
    assert Fernet(new[0]).decrypt(row.secret.token.encode()).decode() == CANARY_KEY
    assert Transition.objects.get(subject="secrets").after["sealed"] == 3

    assert command("rotate", "--drop-old")[0] == 0
    assert len(key_file.read_text().split()) == 1
    assert {p.name for p in key_file.parent.iterdir()} == {key_file.name, f"{key_file.name}.lock"}
    assert key_file.stat().st_mode & 0o777 == 0o600
    row.refresh_from_db()
    assert (opened(row.secret), opened(row.sudo_password)) == (CANARY_KEY, CANARY_SUDO)


@pytest.mark.django_db
def test_old_keys_stay_while_something_needs_them(world: World, key_file: Path) -> None:
    other = Fernet(Fernet.generate_key()).encrypt(b"x").decode()
    with connection.cursor() as cursor:
        cursor.execute("update inventory_credential set secret = %s where id = %s", [other, world.account.pk])
    status, _, err = command("rotate", "--drop-old")
    assert status == 1
    assert "cannot be opened: ftp (files): secret" in err
    assert len(key_file.read_text().split()) == 2
    assert opened(Credential.objects.get(pk=world.key.pk).secret) == CANARY_KEY

    # Somebody seals with the old key after everything was looked at.
    assert crypto.drop_old(lambda: True) is False
    assert len(key_file.read_text().split()) == 2


@pytest.mark.django_db
def test_a_site_whose_key_is_lost_for_good_begins_anew(world: World, key_file: Path) -> None:
    key_file.unlink()
    status, _, err = command("rotate")
    assert (status, key_file.exists()) == (3, False)
    assert "is missing" in err or "cannot be read" in err
    status, _, err = command("rotate", "--lost")
    assert (status, len(key_file.read_text().split())) == (1, 1)
    assert "3 stored secrets cannot be opened" in err
    services.replace_secret(user=world.alice, credential=world.account, secret=CANARY_FTP)
    assert [str(one) for one in sealing.lost_of(list(Credential.objects.all()))] == ["routers"]


@pytest.mark.django_db
def test_a_key_file_that_is_there_is_never_overwritten(world: World, key_file: Path) -> None:
    _write(key_file, "this is no key")
    with pytest.raises(Refused):
        sealing.rotate(begin_anew=True)
    assert key_file.read_text() == "this is no key\n"


def again_and_again(act: Callable[[int], None], over: threading.Event, failures: list[Exception]) -> None:
    """What one of several people does until it is over, with a connection of their own."""
    turn = 0

    try:
        while not over.is_set():
            act(turn)
            turn += 1
    except Exception as error:  # noqa: BLE001 - shown by the test
        failures.append(error)
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_live_nothing_fails_and_nothing_is_lost(world: World, key_file: Path) -> None:
    """Rows are sealed anew while others open them and while people replace secrets: no failure, no lost entry."""
    rows = [
        Credential(team=world.team, name=f"n{n}", username="u", kind="password", secret=f"secret {n}")
        for n in range(300)
    ]
    Credential.objects.bulk_create(rows)
    ids = list(Credential.objects.filter(name__startswith="n").order_by("pk").values_list("pk", flat=True))
    over, entered, looked = threading.Event(), {}, [0]
    failures: list[Exception] = []

    def look(turn: int) -> None:
        row = Credential.objects.get(pk=ids[(turn * 7) % len(ids)])
        assert opened(row.secret).startswith(("secret ", "entered "))
        looked[0] += 1

    def enter(turn: int) -> None:
        row = Credential.objects.get(pk=ids[-1 - (turn * 11) % len(ids)])
        services.replace_secret(user=world.alice, credential=row, secret=f"entered {turn}")
        entered[row.pk] = f"entered {turn}"

    threads = [threading.Thread(target=again_and_again, args=(act, over, failures)) for act in (look, look, enter)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            assert sealing.rotate().lost == ()
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
    assert failures == []
    assert looked[0] > 0
    assert entered
    for number, pk in enumerate(ids):
        assert opened(Credential.objects.get(pk=pk).secret) == entered.get(pk, f"secret {number}")
    assert sealing.rotate(drop_old=True).dropped


@pytest.mark.django_db
def test_a_job_opens_what_it_needs(world: World) -> None:
    applied(world)
    job = job_for(changes.verify(user=world.bob, cluster=world.cluster))
    assert (job.routers[0].key, job.routers[0].sudo_password) == (CANARY_KEY, CANARY_SUDO)
    assert job.probes[0].password == CANARY_FTP
