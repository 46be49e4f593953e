"""The pages of people who are not signed in yet, or no longer: signing in, and the first visit."""

from __future__ import annotations

from typing import Final

from django.contrib import messages
from django.contrib.auth import login as begin_session
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from lbftp.accounts.forms import NewPasswordForm, OwnPasswordForm, SignInForm, WelcomeForm
from lbftp.accounts.middleware import session_of
from lbftp.accounts.services import invitations, sessions
from lbftp.accounts.services.first import first_administrator
from lbftp.accounts.services.passwords import change_password
from lbftp.accounts.services.signing_in import sign_in
from lbftp.changes.errors import Refused
from lbftp.web.acting import person, polled, sent
from lbftp.web.address import client_address
from lbftp.web.landing import wanted_page

_BACKEND: Final = "django.contrib.auth.backends.ModelBackend"


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """Sign in; a site that nobody belongs to yet makes its first administrator instead."""
    if not User.objects.exists():
        return redirect("accounts:welcome")
    if request.user.is_authenticated:
        return redirect(wanted_page(request))

    form = SignInForm(sent(request))
    if user := form.carry_out(sign_in, address=client_address(request)):
        begin_session(request, user)
        return redirect(wanted_page(request))
    return _answer(request, form)


def _answer(request: HttpRequest, form: SignInForm) -> HttpResponse:
    given = request.POST.get("next") or request.GET.get("next") or ""
    response = render(request, "accounts/login.html", {"form": form, "next": given}, status=form.status)
    if form.seconds:
        response["Retry-After"] = str(form.seconds)
    return response


@login_not_required
@never_cache
@sensitive_post_parameters("code", "password", "again")
@require_http_methods(["GET", "POST"])
def welcome(request: HttpRequest) -> HttpResponse:
    if User.objects.exists():
        return redirect("accounts:login")
    form = WelcomeForm(sent(request))
    if user := form.carry_out(first_administrator):
        begin_session(request, user)
        return redirect("home")
    return render(request, "accounts/welcome.html", {"form": form}, status=form.status)


@login_not_required
@never_cache
@sensitive_post_parameters("password", "again")
@require_http_methods(["GET", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Where a link leads: the person it is for sets a password. Only sending the form uses it up."""
    try:
        link = invitations.valid(token)
    except Refused as error:
        return render(request, "accounts/invitation_over.html", {"reason": error.message}, status=410)
    if request.user.is_authenticated:
        return render(request, "accounts/invitation_other.html", {"link": link}, status=409)

    form = NewPasswordForm(sent(request))
    if user := form.carry_out(invitations.accept, token=token, address=client_address(request)):
        begin_session(request, user, backend=_BACKEND)
        messages.success(request, f"Welcome, {user}. Only you know this password.")
        return redirect("home")
    return render(request, "accounts/invitation.html", {"form": form, "link": link}, status=form.status)


@never_cache
@sensitive_post_parameters("present", "password", "again")
@require_http_methods(["GET", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    """The person's own password and sessions. With a password that somebody else typed only this page is shown."""
    form = OwnPasswordForm(sent(request))
    if form.carry_out(change_password, user=person(request), address=client_address(request)) is not None:
        begin_session(request, person(request), backend=_BACKEND)
        messages.success(request, "Your password is changed. Everything else that was signed in as you is signed out.")
        return redirect("home")
    context = {"form": form, "sessions": sessions.open_ones(person(request))[:20], "this": session_of(request)}
    return render(request, "accounts/password.html", context, status=form.status)


@polled
@login_not_required
@never_cache
@require_safe
def session(request: HttpRequest) -> JsonResponse:
    """For pages that are open already: who is signed in here now, if anybody."""
    user = request.user
    return JsonResponse({"person": user.get_username() if user.is_authenticated else None})
