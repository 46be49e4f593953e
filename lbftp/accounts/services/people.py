"""Teams and people: who belongs to what, and who may change that."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from lbftp import database
from lbftp.accounts import access
from lbftp.accounts.models import Invitation, Membership, Role, Team
from lbftp.accounts.services import sessions
from lbftp.accounts.services.names import require_distinct
from lbftp.accounts.services.notes import note, note_in
from lbftp.changes import editing
from lbftp.changes.errors import Invalid, Refused


def require(user: access.Person, team: Team, least: Role) -> None:
    """Raises Refused unless `user` is in `team` with role `least` or more. Superusers are not exempt."""
    if not access.has_role(user, team, least):
        raise Refused(f"This needs the role {least.value} in the team {team}: ask one of its administrators.")


def set_role(*, user: access.Person, membership: Membership, role: Role | None, seen: str | None = None) -> None:
    """Changes what a member may do; None takes the person out of the team. A team keeps one administrator.

    `seen` is the role that `user` had before them: raises Conflict where somebody else gave another one since.
    """
    require(user, membership.team, Role.ADMIN)
    with transaction.atomic():
        membership = _keeping_an_administrator(membership, still=role == Role.ADMIN)
        _refuse_unseen(membership, role, seen)
        if role is None:
            _take_out(user, membership)
        elif role != membership.role:
            before = membership.role
            _change_role(membership, role)
            _note(user, membership, "Got another role.", before={"role": before}, after={"role": role.value})


def lock(*, user: access.Person, membership: Membership) -> None:
    """The person is signed out everywhere and can do nothing in any team, until somebody unlocks them."""
    require(user, membership.team, Role.ADMIN)
    if membership.user_id == user.pk:
        raise Refused("This is your own account: another administrator can lock it.")
    with transaction.atomic():
        for each in Membership.objects.filter(user_id=membership.user_id).order_by("pk"):
            _keeping_an_administrator(each, still=False)
        if not User.objects.filter(pk=membership.user_id, is_active=True).update(is_active=False):
            raise Refused(f"{membership.user} cannot sign in anyway: locked already, or invited and not here yet.")
        sessions.end_all(membership.user)
        note(person=membership.user, by=_known(user), what="Locked.", before={"active": True}, after={"active": False})


def unlock(*, user: access.Person, membership: Membership) -> None:
    """The person can sign in again with the password of before. What was proposed meanwhile they do not approve."""
    require(user, membership.team, Role.ADMIN)
    with transaction.atomic():
        locked = User.objects.filter(pk=membership.user_id, is_active=False).exclude(account__invited=True)
        if not locked.update(is_active=True):
            raise Refused(f"{membership.user} is not locked.")
        Membership.objects.filter(user_id=membership.user_id).update(role_since=database.now())
        note(
            person=membership.user, by=_known(user), what="Unlocked.", before={"active": False}, after={"active": True}
        )


def _keeping_an_administrator(membership: Membership, *, still: bool) -> Membership:
    """The membership as it is now, held. Refused if nobody could administer the team afterwards; `still`: this person
    can."""
    admins = Membership.objects.select_for_update().filter(team_id=membership.team_id, role=Role.ADMIN)
    able = [each.pk for each in admins.select_related("user") if each.user.is_active]
    if not still and able == [membership.pk]:
        raise Refused("A team keeps at least one administrator: make somebody else administrator first.")
    found = Membership.objects.select_for_update().filter(pk=membership.pk).first()
    if found is None:
        raise Refused("This person is no longer in the team: somebody else took them out.")
    return found


def _refuse_unseen(membership: Membership, role: Role | None, seen: str | None) -> None:
    if seen is None:
        return
    person = membership.user
    editing.refuse_unseen(
        editing.Thing(membership.team, "person", person.pk, person.get_username()),
        seen={"role": seen},
        stored={"role": membership.role},
        wanted={"role": role.value if role else "taken out of the team"},
    )


def _take_out(user: access.Person, membership: Membership) -> None:
    person = membership.user
    _note(user, membership, "Taken out of the team.", before={"role": membership.role})
    Invitation.objects.filter(user=person, team=membership.team, used_at=None).update(ended_at=database.now())
    membership.delete()
    sessions.end_all(person)


def _note(user: access.Person, membership: Membership, what: str, **values: Any) -> None:
    note_in(membership.team, person=membership.user, by=_known(user), what=what, **values)


def _known(user: access.Person) -> AbstractBaseUser | None:
    return user if isinstance(user, AbstractBaseUser) else None


def _change_role(membership: Membership, role: Role) -> None:
    """Between operator and administrator the time goes on: both decide on changes."""
    decided = membership.decides
    membership.role = role

    if membership.decides != decided:
        membership.role_since = database.now()

    membership.save(update_fields=["role", "role_since"])


def new_user(username: str, password: str) -> User:
    """An account with a password of its owner's choice. Raises Invalid for a name or a password that will not do."""
    require_distinct(username)
    person = User(username=username)
    require_good_password(password, person)
    person.set_password(password)
    person.save()
    return person


def require_good_password(password: str, person: User) -> None:
    """Raises Invalid at `password`."""
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise Invalid.at("password", " ".join(error.messages)) from error


def new_team(name: str) -> Team:
    team = Team(name=name)
    try:
        team.full_clean()
    except ValidationError as error:
        raise Invalid.at("team", " ".join(error.messages)) from error
    team.save()
    return team
