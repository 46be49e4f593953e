"""Django's own sign-in and sign-out, whoever calls them, begin and end our sessions."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from lbftp.accounts.services import sessions
from lbftp.accounts.services.notes import note
from lbftp.web.address import client_address


@receiver(user_logged_in)
def begin(request: HttpRequest, user: AbstractBaseUser, **_more: Any) -> None:
    if not request.session.session_key:
        request.session.create()
    sessions.begin(user=user, session_key=str(request.session.session_key), address=client_address(request))


@receiver(user_logged_out)
def end(request: HttpRequest, user: AbstractBaseUser | None, **_more: Any) -> None:
    """Called before Django forgets the session."""
    if user is not None:
        sessions.end(request.session.session_key)
        note(person=user, by=user, what="Signed out.", after={"address": client_address(request)})
