"""What views share: which team a form is for, and telling people what a service refused."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, TypeVar, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, QueryDict

from lbftp.accounts import access
from lbftp.accounts.models import Role, Team
from lbftp.changes.errors import ServiceError

_View = TypeVar("_View", bound=Callable[..., Any])
# As in addresses (lbftp.web.converters): what fits into every column.
_DIGITS: Final = 18


def person(request: HttpRequest) -> User:
    """The signed-in user; the middleware lets nobody else through."""
    return cast(User, request.user)


def sent(request: HttpRequest) -> QueryDict | None:
    """What a form gets: the fields that were sent, None for a page that is only looked at."""
    return request.POST if request.method == "POST" else None


def polled(view: _View) -> _View:
    """Marks a view that open pages ask by themselves: that is no sign of a person, and nobody is led there."""
    setattr(view, "polled", True)  # noqa: B010 - a function has no such attribute for mypy
    return view


def teams_with(request: HttpRequest, least: Role) -> list[Team]:
    """The user's teams where the role is `least` or includes it, by name."""
    user = person(request)
    return [t for t in access.visible(user, Team).order_by("name") if access.has_role(user, t, least)]


def row_id(typed: str) -> int:
    """The number of a row that a form or an address names. Raises Http404 for what can be no row's number."""
    if not typed.isascii() or not typed.isdecimal() or len(typed) > _DIGITS:
        raise Http404
    return int(typed)


def team_for(request: HttpRequest, least: Role) -> Team:
    """The team that is named in the request, else the user's first fitting one. 404 to strangers, 403 below `least`."""
    given = request.POST.get("team") or request.GET.get("team")
    wanted = row_id(given) if given else None
    if wanted is not None:
        access.get(person(request), Team, pk=wanted)
    for team in teams_with(request, least):
        if wanted in (None, team.pk):
            return team
    raise PermissionDenied(f"This needs the role {least.value} in a team: ask one of its administrators.")


class telling:  # noqa: N801 - reads as a verb where it is used: `with telling(request):`
    """Shows on the next page what a service refused in the block; the code after the block runs then."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, ServiceError):
            messages.error(self._request, error.message)
        return isinstance(error, ServiceError)


def one_page(request: HttpRequest, rows: QuerySet[Any] | list[Any], size: int = 50) -> Page[Any]:
    """The rows of the page that the address asks for; the nearest one if it asks for nonsense."""
    return Paginator(rows, size).get_page(request.GET.get("page"))


def may(request: HttpRequest, thing: Model, least: Role = Role.OPERATOR) -> bool:
    """Whether to offer the button; the services decide again."""
    return access.has_role(person(request), access.team_of(thing), least)
