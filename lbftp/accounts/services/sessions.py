"""Sessions: how long they last, and ending them. One that ended is told to its open pages at once."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet

from lbftp import database
from lbftp.accounts.models import SignIn
from lbftp.accounts.services.networks import network_of
from lbftp.live import publish

# Not each request writes: a minute is nothing beside half an hour.
_STEP: Final = timedelta(seconds=60)
_KEPT: Final = timedelta(days=30)


def begin(*, user: AbstractBaseUser, session_key: str, address: str) -> SignIn:
    """A session that goes on until it is ended, is idle for too long, or is too old."""
    now = database.now()
    SignIn.objects.filter(started_at__lt=now - _KEPT).delete()
    Session.objects.filter(expire_date__lt=now).delete()

    values = {"user_id": user.pk, "address": address[:64], "network": network_of(address), "ended_at": None}
    values |= {"started_at": now, "active_at": now}
    return SignIn.objects.update_or_create(session_key=session_key, defaults=values)[0]


def going_on(session_key: str | None) -> SignIn | None:
    """The session with its person, if it has not ended and nobody locked the account."""
    if not session_key:
        return None
    found = _open().filter(session_key=session_key, user__is_active=True).select_related("user__account")
    return found.first()


def open_ones(user: AbstractBaseUser) -> QuerySet[SignIn]:
    """The person's sessions that go on, the latest first."""
    return _open().filter(user_id=user.pk).order_by("-active_at")


def was_active(session: SignIn) -> None:
    """The person did something just now."""
    now = database.now()
    if now - session.active_at >= _STEP:
        SignIn.objects.filter(pk=session.pk).update(active_at=now)


def end(session_key: str | None) -> None:
    """Ends one session; unknown ones are passed over."""
    _end(SignIn.objects.filter(session_key=session_key))


def end_all(user: AbstractBaseUser) -> None:
    """Ends every session of the person, and closes what is open in them."""
    _end(SignIn.objects.filter(user_id=user.pk))


def _open() -> QuerySet[SignIn]:
    now = database.now()
    return SignIn.objects.filter(
        ended_at=None,
        active_at__gt=now - timedelta(seconds=settings.SESSION_IDLE_SECONDS),
        started_at__gt=now - timedelta(seconds=settings.SESSION_COOKIE_AGE),
    )


def _end(rows: QuerySet[SignIn]) -> None:
    with transaction.atomic():
        found = list(rows.filter(ended_at=None).values_list("session_key", "user_id"))
        keys = [key for key, _ in found]
        SignIn.objects.filter(session_key__in=keys).update(ended_at=database.now())
        Session.objects.filter(session_key__in=keys).delete()

        for person in {person for _, person in found}:
            transaction.on_commit(partial(publish.person_hint, person))
