"""Whoever has the code of the machine's owner becomes the first administrator, once; nobody else does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from lbftp.accounts.models import FirstCode, Membership, Role
from lbftp.accounts.services import tokens
from lbftp.accounts.services.first import first_administrator, new_first_code
from lbftp.changes.errors import Invalid, Refused
from lbftp.changes.models import Transition
from ops.places import ROOT
from tests.postgres import Postgres

ANN = {"username": "ann", "password": "correct horse battery", "team": "ops"}


@pytest.mark.django_db
def test_the_code_makes_the_administrator_once() -> None:
    code = new_first_code()
    person = first_administrator(code=code, **ANN)
    assert person.check_password("correct horse battery")
    assert Membership.objects.get(user=person).role == Role.ADMIN
    assert not FirstCode.objects.exists()
    row = Transition.objects.get(subject="person")
    assert (row.user, row.name, row.after) == (person, "ann", {"role": "admin"})
    with pytest.raises(Refused, match="already has people"):
        first_administrator(code=code, username="eve", password="correct horse battery", team="ops2")
    with pytest.raises(Refused, match="already has people"):
        new_first_code()


@pytest.mark.django_db
def test_without_the_present_code_nobody_gets_in() -> None:
    old = new_first_code()
    code = new_first_code()
    for wrong in ("", "00000-00000-00000-00000", old, code[:-1], code + "0", "\x00", "é" * 64):
        with pytest.raises(Invalid, match="not the code") as caught:
            first_administrator(code=wrong, **ANN)
        assert caught.value.problems[0]["field"] == "code"
    FirstCode.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(Invalid, match="No code is valid"):
        first_administrator(code=code, **ANN)
    FirstCode.objects.all().delete()
    with pytest.raises(Invalid, match="No code is valid"):
        first_administrator(code=code, **ANN)
    assert not User.objects.exists()


@pytest.mark.django_db
def test_a_code_outlives_a_mistake_and_how_it_is_typed_does_not_matter() -> None:
    code = new_first_code()
    with pytest.raises(Invalid, match="too short"):
        first_administrator(code=code, **{**ANN, "password": "short"})
    assert first_administrator(code=f" {code.lower().replace('-', ' ').replace('0', 'o')} ", **ANN).username == "ann"


@pytest.mark.django_db
def test_only_a_hash_of_it_is_kept() -> None:
    code = new_first_code()
    row = FirstCode.objects.get()
    assert row.code_hash == tokens.code_hash(code)
    assert code.replace("-", "") not in repr(row.__dict__)


def six_at_once(var: Path, **env: str) -> dict[str, Any]:
    """See six.py: against a real database, each with a connection of its own."""
    place = {name: value for name, value in os.environ.items() if name != "LBFTP_DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.accounts.six"],
        cwd=ROOT,
        env=place | {"LBFTP_VAR": str(var)} | env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


ONE = {"said": ["in", *["refused"] * 5], "administrators": 1}


def test_of_six_at_once_one_gets_in_on_sqlite(tmp_path: Path) -> None:
    assert six_at_once(tmp_path) == ONE


def test_of_six_at_once_one_gets_in_on_postgresql(tmp_path: Path) -> None:
    postgres = Postgres(tmp_path / "postgres")
    try:
        assert six_at_once(tmp_path, LBFTP_DATABASE_URL=postgres.url) == ONE
    finally:
        postgres.stop()
