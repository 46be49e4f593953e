"""Links with which people set their own passwords. Nobody else ever types or learns one.

The link is shown once, to whoever made it; the database keeps a hash. It is used once and expires. Whoever makes a link
for another could use it, so: the rows say who made it and from which address it was used, and the account decides on
nothing that was proposed before (`access.credentials_since`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NamedTuple

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, User
from django.db import transaction

from lbftp import database
from lbftp.accounts import access
from lbftp.accounts.models import Account, Invitation, Membership, Role, Team
from lbftp.accounts.services import gates, sessions, tokens
from lbftp.accounts.services.names import require_distinct
from lbftp.accounts.services.notes import note, note_in
from lbftp.accounts.services.people import require, require_good_password
from lbftp.changes.errors import Refused

_OVER: Final = "This link is not valid: it was used, replaced or taken back, or it expired. Ask for a new one."


class Invited(NamedTuple):
    """`token` is shown to whoever asked for it, and nowhere else."""

    membership: Membership
    token: str
    expires_in_hours: int


def invite(*, user: AbstractBaseUser, team: Team, username: str, role: Role, address: str = "") -> Invited:
    """A new member of `team` who has no password yet, and the link to set it. For administrators of the team."""
    require(user, team, Role.ADMIN)
    with gates.alone("names"):
        person = _newcomer(username)
        member = Membership.objects.create(team=team, user=person, role=role)
        token = _link(member, by=user, address=address)
        after = {"role": role.value, "from": address}
        note_in(team, person=person, by=user, what="Invited.", after=after)

    return Invited(member, token, settings.INVITATION_HOURS)


def new_link(*, user: AbstractBaseUser | None, membership: Membership, address: str = "") -> Invited:
    """A link for a member who forgot the password, or whose first link expired; it ends the one before.

    The old password fits until the link is used. `user` None: whoever has the machine's command line.
    """
    if user is not None:
        _require_over(user, membership)
    with transaction.atomic():
        token = _link(membership, by=user, address=address)
        what = "Got a link to set a new password."
        note(person=membership.user, by=user, what=what, after={"from": address})

    return Invited(membership, token, settings.INVITATION_HOURS)


def valid(token: str) -> Invitation:
    """What the link stands for. Raises Refused, in the same words whatever is wrong with it."""
    rows = Invitation.objects.filter(token_hash=tokens.token_hash(token), used_at=None, ended_at=None)
    found = rows.filter(expires_at__gt=database.now()).select_related("user__account", "team").first()
    if found is None or not (found.user.is_active or _account(found.user).invited):
        raise Refused(_OVER)
    return found


def accept(*, token: str, password: str, address: str) -> User:
    """The link's person sets `password`, and may sign in. Every other session of theirs ends."""
    found = valid(token)
    require_good_password(password, found.user)
    with transaction.atomic():
        mine = Invitation.objects.filter(pk=found.pk, used_at=None, ended_at=None)
        if not mine.update(used_at=database.now(), used_from=address[:64]):
            raise Refused(_OVER)
        _give(found.user, password)
        found.refresh_from_db(fields=["used_at", "used_from"])
        _note_use(found)

    return found.user


def _newcomer(username: str) -> User:
    """A new account, or one of that name that belongs to no team any more. To be called alone."""
    found = User.objects.filter(username=username, is_superuser=False, memberships=None).first()
    if found is None:
        require_distinct(username)
        found = User(username=username)

    found.is_active = False
    found.set_unusable_password()
    found.save()
    Account.objects.update_or_create(user=found, defaults={"invited": True, "must_change": False})
    sessions.end_all(found)
    return found


def _require_over(user: AbstractBaseUser, membership: Membership) -> None:
    """An administrator of one team may not get at an account that decides in another."""
    require(user, membership.team, Role.ADMIN)
    if membership.user_id == user.pk:
        raise Refused("This is your own account: change its password on your own page.")
    for other in Team.objects.filter(memberships__user_id=membership.user_id).exclude(pk=membership.team_id):
        if not access.has_role(user, other, Role.ADMIN):
            raise Refused(
                f"{membership.user} belongs to another team as well, which you do not administer: "
                "whoever runs the site can make the link (`manage.py lbftp invite NAME --again`)."
            )


def _link(membership: Membership, *, by: AbstractBaseUser | None, address: str) -> str:
    token, now = tokens.token(), database.now()
    Invitation.objects.filter(user_id=membership.user_id, used_at=None, ended_at=None).update(ended_at=now)
    Invitation.objects.create(
        team=membership.team,
        user=membership.user,
        token_hash=tokens.token_hash(token),
        made_by=by.get_username() if by else "",
        made_from=address[:64],
        made_at=now,
        expires_at=now + timedelta(hours=settings.INVITATION_HOURS),
    )
    return token


def _give(person: User, password: str) -> None:
    person.set_password(password)
    person.is_active = True
    person.save(update_fields=["password", "is_active"])
    values = {"credentials_since": database.now(), "must_change": False, "invited": False}
    Account.objects.update_or_create(user=person, defaults=values)
    sessions.end_all(person)


def _note_use(link: Invitation) -> None:
    maker = link.made_by or "the command line"
    what = f"Set a password with the link that {maker} made."
    if link.same_address:
        what += " It was used from the address where it was made."
    after = {"from": link.used_from, "made from": link.made_from}
    note(person=link.user, by=link.user, what=what, after=after)


def _account(person: User) -> Account:
    return Account.objects.filter(user=person).first() or Account(user=person)
