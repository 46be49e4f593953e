"""The first administrator of a fresh site: whoever has the one-time code that the machine's owner printed."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction

from lbftp import database
from lbftp.accounts.models import Account, FirstCode, Membership, Role
from lbftp.accounts.services import tokens
from lbftp.accounts.services.people import new_team, new_user
from lbftp.changes import trail
from lbftp.changes.errors import Invalid, Refused

_ONE: Final = 1
_VALID: Final = timedelta(hours=24)
_HOW: Final = "Print one on the machine that this site runs on: `manage.py lbftp first-admin`."
_PEOPLE: Final = "This site already has people: sign in, or ask one of them for an invitation."


def new_first_code() -> str:
    """A code for the first administrator, good for a day and once; earlier ones end. Refused once anybody is there."""
    if User.objects.exists():
        raise Refused(_PEOPLE)
    code = tokens.code()
    values = {"code_hash": tokens.code_hash(code), "expires_at": database.now() + _VALID}
    FirstCode.objects.update_or_create(pk=_ONE, defaults=values)

    return code


@transaction.atomic
def first_administrator(*, code: str, username: str, password: str, team: str) -> User:
    """The first person of a fresh site, administrator of a first team. Refused once anybody is there.

    Of several at the same moment one gets in: each has to hold the code's row, and the first takes it away.
    """
    _use(code)
    user = new_user(username, password)
    Account.objects.create(user=user)
    made = new_team(team)
    member = Membership.objects.create(team=made, user=user, role=Role.ADMIN)

    trail.record(
        team=made,
        user=user,
        subject="person",
        subject_id=user.pk,
        name=username,
        what="Became the first administrator, with the one-time code.",
        after={"role": member.role},
    )
    return user


def _use(code: str) -> None:
    """Raises unless `code` is the present one; nobody else can use it after this transaction."""
    row = FirstCode.objects.select_for_update().filter(pk=_ONE).first()
    # Asked after the lock was got: whoever held it before may have become the first person.
    if User.objects.exists():
        raise Refused(_PEOPLE)
    if row is None or row.expires_at <= database.now():
        raise Invalid.at("code", "No code is valid at the moment.", _HOW)
    if row.code_hash != tokens.code_hash(code):
        raise Invalid.at("code", "This is not the code that was printed last.", _HOW)

    row.delete()
