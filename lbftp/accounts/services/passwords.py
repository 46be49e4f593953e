"""A person's own password."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction

from lbftp import database
from lbftp.accounts.models import Account
from lbftp.accounts.services import sessions
from lbftp.accounts.services.notes import note
from lbftp.accounts.services.people import require_good_password
from lbftp.accounts.services.signing_in import WrongPassword, check_password
from lbftp.changes.errors import Invalid


def change_password(*, user: User, present: str, password: str, address: str) -> User:
    """Sets the person's own password. Every session of theirs ends, the present one as well.

    A password that had to be changed was another's doing: the account counts from now on (`credentials_since`).
    Raises TooManyTries like signing in: a session that somebody left open is no place to guess in.
    """
    try:
        check_password(username=user.get_username(), password=present, address=address)
    except WrongPassword as error:
        raise Invalid.at("present", "This is not your present password.") from error
    if password == present:
        raise Invalid.at("password", "This is the present one: choose another.")
    require_good_password(password, user)

    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        had_to = Account.objects.filter(user=user, must_change=True)
        had_to.update(must_change=False, credentials_since=database.now())
        sessions.end_all(user)
        note(person=user, by=user, what="Changed the password.", after={"address": address})
    return user
