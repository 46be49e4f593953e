from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import login as sign_in
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lbftp.accounts import access, services
from lbftp.accounts.forms import PersonForm, RoleForm, WelcomeForm
from lbftp.accounts.models import Membership, Role, Team
from lbftp.accounts.services.first import first_administrator
from lbftp.web.acting import person, sent, team_for, telling


@login_not_required
def login(request: HttpRequest) -> HttpResponseBase:
    """Sign in; a site that nobody belongs to yet makes its first administrator instead."""
    if not User.objects.exists():
        return redirect("accounts:welcome")
    return LoginView.as_view(template_name="accounts/login.html", redirect_authenticated_user=True)(request)


@login_not_required
@require_http_methods(["GET", "POST"])
def welcome(request: HttpRequest) -> HttpResponse:
    if User.objects.exists():
        return redirect("accounts:login")
    form = WelcomeForm(sent(request))
    if user := form.carry_out(first_administrator):
        sign_in(request, user)
        return redirect("home")
    return render(request, "accounts/welcome.html", {"form": form}, status=form.status)


@require_safe
def people(request: HttpRequest) -> HttpResponse:
    teams = access.visible(request.user, Team).order_by("name").prefetch_related("memberships__user")
    mine = [(team, access.has_role(request.user, team, Role.ADMIN)) for team in teams]
    return render(request, "accounts/people.html", {"teams": mine, "roles": Role.choices})


@require_http_methods(["GET", "POST"])
def add_person(request: HttpRequest) -> HttpResponse:
    team = team_for(request, Role.ADMIN)
    form = PersonForm(sent(request))
    if member := form.carry_out(services.add_person, user=person(request), team=team):
        messages.success(request, f"{member.user} is a member of {team} now.")
        return redirect("accounts:people")
    return render(request, "accounts/add_person.html", {"form": form, "team": team}, status=form.status)


@require_POST
def set_role(request: HttpRequest, pk: int) -> HttpResponse:
    member = access.get_managed(request.user, Membership.objects.select_related("team", "user"), pk=pk)
    form = RoleForm(request.POST)
    if form.is_valid():
        with telling(request):
            services.set_role(user=person(request), membership=member, role=form.cleaned_data["role"])
            messages.success(request, f"Changed what {member.user} may do.")
    return redirect("accounts:people")
