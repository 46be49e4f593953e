"""Checking a password: the one door to it, for the sign-in page and wherever a person has to show their password."""

from __future__ import annotations

from django.contrib.auth import authenticate
from django.contrib.auth.models import User

from lbftp.accounts.services import throttle
from lbftp.accounts.services.notes import note
from lbftp.changes.errors import Refused


class WrongPassword(Refused):
    """The same words for a wrong name, a wrong password and a locked account."""

    def __init__(self) -> None:
        super().__init__("Name and password do not fit together, or the account is locked.")


def check_password(*, username: str, password: str, address: str) -> User:
    """The person whose password it is. Raises TooManyTries without looking at it, or WrongPassword."""
    booked = throttle.book(username=username, address=address)
    found = authenticate(username=username, password=password)
    if isinstance(found, User):
        booked.delete()
        return found

    _note_failure(username, address, last=throttle.was_last(booked))
    raise WrongPassword


def sign_in(*, username: str, password: str, address: str) -> User:
    """`check_password` for the start of a session; the audit tells where from."""
    user = check_password(username=username, password=password, address=address)
    note(person=user, by=user, what="Signed in.", after={"address": address})
    return user


def _note_failure(username: str, address: str, *, last: bool) -> None:
    """For the people of this site only: rows about names that nobody has would help nobody."""
    person = User.objects.filter(username=username).first()
    if person is None:
        return
    note(person=person, by=None, what="Sign-in failed: wrong password or locked.", after={"address": address})
    if last:
        minutes = int(throttle.WINDOW.total_seconds() / 60)
        what = f"Too many wrong passwords: no more are looked at from there for {minutes} min."
        note(person=person, by=None, what=what, after={"address": address})
