"""Teams and people: who belongs to what, and who may change that."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from lbftp import database
from lbftp.accounts import access
from lbftp.accounts.models import Membership, Role, Team
from lbftp.accounts.services.names import require_distinct
from lbftp.changes.errors import Invalid, Refused


def require(user: access.Person, team: Team, least: Role) -> None:
    """Raises Refused unless `user` is in `team` with role `least` or more. Superusers are not exempt."""
    if not access.has_role(user, team, least):
        raise Refused(f"This needs the role {least.value} in the team {team}: ask one of its administrators.")


def add_person(*, user: access.Person, team: Team, username: str, password: str, role: Role) -> Membership:
    """A new account in `team`. For administrators of that team."""
    require(user, team, Role.ADMIN)
    with transaction.atomic():
        return Membership.objects.create(team=team, user=new_user(username, password), role=role)


def set_role(*, user: access.Person, membership: Membership, role: Role | None) -> None:
    """Changes what a member may do; None takes the person out of the team. A team keeps one administrator."""
    require(user, membership.team, Role.ADMIN)
    with transaction.atomic():
        admins = list(Membership.objects.select_for_update().filter(team=membership.team, role=Role.ADMIN))
        membership = Membership.objects.select_for_update().get(pk=membership.pk)
        if role != Role.ADMIN and [m.pk for m in admins] == [membership.pk]:
            raise Refused("A team keeps at least one administrator: make somebody else administrator first.")
        if role is None:
            membership.delete()
        else:
            _change_role(membership, role)


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
