"""Who is signed in, for how long, and what those get who are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.contrib.auth import get_user
from django.contrib.auth.middleware import AuthenticationMiddleware, LoginRequiredMiddleware
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from lbftp.accounts.models import SignIn
from lbftp.accounts.services import sessions
from lbftp.web.landing import page_at

SIGNED_OUT: Final = 401
_KEPT: Final = "lbftp.session"
_OWN_PAGE: Final = "accounts:password"
# What is possible with a password that has to be changed.
_POSSIBLE: Final = (_OWN_PAGE, "accounts:logout")


class SessionMiddleware(AuthenticationMiddleware):
    """`request.user` is nobody once the session has ended here, whoever asks: pages, metrics, anything."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.user = SimpleLazyObject(lambda: _person(request))  # type: ignore[assignment] # as Django's own does


def _person(request: HttpRequest) -> AbstractBaseUser | AnonymousUser:
    user = get_user(request)
    if not user.is_authenticated:
        return user

    session = sessions.going_on(request.session.session_key)
    if session is None or session.user_id != user.pk:
        sessions.end(request.session.session_key)
        request.session.flush()
        return AnonymousUser()
    request.META[_KEPT] = session
    return user


def session_of(request: HttpRequest) -> SignIn | None:
    """The session that the request belongs to."""
    if not request.user.is_authenticated:
        return None
    found = request.META.get(_KEPT)
    return found if isinstance(found, SignIn) else None


def is_fragment(request: HttpRequest) -> bool:
    """Whether a page asks that is open already, for a part of itself."""
    return request.headers.get("HX-Request") == "true"


class SignedInMiddleware(LoginRequiredMiddleware):
    """Pages are for people who are signed in. What a page asks by itself is no sign of a person."""

    def process_view(
        self, request: HttpRequest, view_func: Callable[..., Any], view_args: Any, view_kwargs: Any
    ) -> HttpResponseBase | None:
        refused = super().process_view(request, view_func, view_args, view_kwargs)
        if refused is not None or not getattr(view_func, "login_required", True):
            return refused

        session = session_of(request)
        if session is None:
            return None
        if not getattr(view_func, "polled", False):
            sessions.was_active(session)
        return self._change_first(request, session)

    def _change_first(self, request: HttpRequest, session: SignIn) -> HttpResponseBase | None:
        """Somebody else typed this password: nothing else is possible until its owner chose another one."""
        account = getattr(session.user, "account", None)
        match = request.resolver_match
        if account is None or not account.must_change or (match and match.view_name in _POSSIBLE):
            return None
        if is_fragment(request):
            return HttpResponse(status=204, headers={"HX-Redirect": reverse(_OWN_PAGE)})
        return redirect(_OWN_PAGE)

    def handle_no_permission(  # type: ignore[override] # Django knows redirects only
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseBase:
        """A fragment gets a status that its page understands; a page leads to signing in, and from there back."""
        if is_fragment(request):
            return HttpResponse("You are signed out.", status=SIGNED_OUT, content_type="text/plain; charset=utf-8")
        return redirect_to_login(page_at(request.get_full_path()), self.get_login_url(view_func))
