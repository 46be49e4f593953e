"""The one way to get at an object for a user: pages, sockets and the command line all ask here.

An object belongs to one team. Strangers cannot tell that it exists (404), viewers may read it (403 when they act).
A superuser is a member of no team by that alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404

from lbftp.accounts.models import Account, Membership, Role, Team

_M = TypeVar("_M", bound=Model)
Person = AbstractBaseUser | AnonymousUser

# How each model leads to its team. One that is missing here can be reached by nobody (tests/accounts checks the list).
_TEAM_OF: Final = {
    "accounts.team": "pk",
    "accounts.membership": "team",
    "accounts.invitation": "team",
    "inventory.credential": "team",
    "inventory.router": "team",
    "inventory.probehost": "team",
    "inventory.realserver": "team",
    "inventory.serverhost": "team",
    "clusters.cluster": "team",
    "clusters.revision": "cluster__team",
    "clusters.termsedit": "cluster__team",
    "changes.changerequest": "cluster__team",
    "changes.approval": "change__cluster__team",
    "changes.run": "team",
    "changes.runevent": "run__team",
    "changes.transition": "team",
    "changes.lease": "router__team",
    "compliance.policy": "cluster__team",
    "daytwo.drain": "cluster__team",
    "compliance.occurrence": "policy__cluster__team",
    "compliance.findingrow": "cluster__team",
    "numbers.watch": "router__team",
    "numbers.latest": "cluster__team",
    "numbers.sample": "cluster__team",
    "proofs.rest": "router__team",
    "proofs.window": "cluster__team",
}
_RANK: Final = {Role.VIEWER.value: 0, Role.OPERATOR.value: 1, Role.ADMIN.value: 2}


def visible(user: Person, objects: QuerySet[_M] | type[_M]) -> QuerySet[_M]:
    """Those of `objects` that belong to the user's teams; none for the anonymous and for locked accounts."""
    found: QuerySet[_M] = objects if isinstance(objects, QuerySet) else objects._default_manager.all()
    if not user.is_authenticated or not user.is_active:
        return found.none()
    teams = Membership.objects.filter(user_id=user.pk).values("team_id")
    return found.filter(**{f"{_TEAM_OF[found.model._meta.label_lower]}__in": teams})


def get(user: Person, objects: QuerySet[_M] | type[_M], **lookup: Any) -> _M:
    """The one object that fits. Raises Http404 if there is none that this user may see."""
    found = visible(user, objects)
    try:
        return found.get(**lookup)
    except ObjectDoesNotExist as error:
        raise Http404(f"No such {found.model._meta.verbose_name}.") from error


def get_writable(user: Person, objects: QuerySet[_M] | type[_M], **lookup: Any) -> _M:
    """`get` for acting on the object. Raises PermissionDenied for viewers."""
    return _at_least(Role.OPERATOR, user, get(user, objects, **lookup))


def get_managed(user: Person, objects: QuerySet[_M] | type[_M], **lookup: Any) -> _M:
    """`get` for what only administrators of the team do. Raises PermissionDenied for the others."""
    return _at_least(Role.ADMIN, user, get(user, objects, **lookup))


def role_of(user: Person, team: Team) -> Role | None:
    """The user's role in `team`; None for strangers, whatever else they may be."""
    if not user.is_authenticated or not user.is_active:
        return None
    role = Membership.objects.filter(user_id=user.pk, team=team).values_list("role", flat=True).first()
    return Role(role) if role else None


def has_role(user: Person, team: Team, least: Role) -> bool:
    """Whether the user is in `team` with role `least` or one that includes it."""
    role = role_of(user, team)
    return role is not None and _RANK[role.value] >= _RANK[least.value]


def credentials_since(user: Person) -> datetime | None:
    """When the user's password last came by way of somebody else; None: not since this is kept.

    Whoever made a link for another person could have used it: what the account does for something older than this
    moment may be the doing of somebody who knew of that thing already.
    """
    if not user.is_authenticated:
        return None
    return Account.objects.filter(user_id=user.pk).values_list("credentials_since", flat=True).first()


def team_of(thing: Model) -> Team:
    """The team that `thing` belongs to. Raises KeyError for a model that belongs to none."""
    path = _TEAM_OF[thing._meta.label_lower]
    return _follow(thing, [] if path == "pk" else path.split("__"))


def _follow(thing: Any, names: Iterable[str]) -> Team:
    for name in names:
        thing = getattr(thing, name)
    if not isinstance(thing, Team):
        raise TypeError(f"{thing!r} is not a team")
    return thing


def _at_least(least: Role, user: Person, thing: _M) -> _M:
    if not has_role(user, team_of(thing), least):
        raise PermissionDenied(f"Your role in this team is not enough: ask one of its {least.value}s.")
    return thing
