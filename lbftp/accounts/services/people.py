"""Teams and people: who belongs to what, and who may change that."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from lbftp.accounts import access
from lbftp.accounts.models import Membership, Role, Team
from lbftp.changes.errors import Invalid, Refused


def require(user: access.Person, team: Team, least: Role) -> None:
    """Raises Refused unless `user` is in `team` with role `least` or more. Superusers are not exempt."""
    if not access.has_role(user, team, least):
        raise Refused(f"This needs the role {least.value} in the team {team}: ask one of its administrators.")


def first_administrator(*, username: str, password: str, team: str) -> User:
    """The first person of a fresh site, administrator of a first team. Refused once anybody is there."""
    with transaction.atomic():
        if User.objects.exists():
            raise Refused("This site already has people: sign in, or ask one of them.")
        user = _person(username, password)
        Membership.objects.create(team=_team(team), user=user, role=Role.ADMIN)
    return user


def add_person(*, user: access.Person, team: Team, username: str, password: str, role: Role) -> Membership:
    """A new account in `team`. For administrators of that team."""
    require(user, team, Role.ADMIN)
    with transaction.atomic():
        return Membership.objects.create(team=team, user=_person(username, password), role=role)


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
        membership.role_since = timezone.now()

    membership.save(update_fields=["role", "role_since"])


def _person(username: str, password: str) -> User:
    person = User(username=username)
    try:
        person.full_clean(exclude=["password"])
        validate_password(password, person)
    except ValidationError as error:
        if not hasattr(error, "error_dict"):
            raise Invalid.at("password", " ".join(error.messages)) from error
        raise Invalid.of_validation(error) from error
    person.set_password(password)
    person.save()
    return person


def _team(name: str) -> Team:
    team = Team(name=name)
    try:
        team.full_clean()
    except ValidationError as error:
        raise Invalid.of_validation(error) from error
    team.save()
    return team
