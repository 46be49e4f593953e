"""The people of the user's teams: who is there, as what, and how they get in."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lbftp.accounts import access, services
from lbftp.accounts.forms import InviteForm, RoleForm
from lbftp.accounts.models import Membership, Role, Team
from lbftp.accounts.page import rows
from lbftp.accounts.services import invitations
from lbftp.accounts.services.invitations import Invited
from lbftp.changes.errors import ServiceError
from lbftp.web.acting import person, sent, team_for, telling
from lbftp.web.address import client_address


@require_safe
def people(request: HttpRequest) -> HttpResponse:
    teams = access.visible(request.user, Team).order_by("name")
    mine = [(team, access.has_role(request.user, team, Role.ADMIN), rows(team)) for team in teams]
    return render(request, "accounts/people.html", {"teams": mine, "roles": Role.choices})


@never_cache
@require_http_methods(["GET", "POST"])
def add_person(request: HttpRequest) -> HttpResponse:
    team = team_for(request, Role.ADMIN)
    form = InviteForm(sent(request))
    values = {"user": person(request), "team": team, "address": client_address(request)}
    if invited := form.carry_out(invitations.invite, **values):
        return _show_link(request, invited)
    return render(request, "accounts/add_person.html", {"form": form, "team": team}, status=form.status)


@never_cache
@require_POST
def new_link(request: HttpRequest, pk: int) -> HttpResponse:
    member = _member(request, pk)
    try:
        invited = invitations.new_link(user=person(request), membership=member, address=client_address(request))
    except ServiceError as error:
        messages.error(request, error.message)
        return redirect("accounts:people")
    return _show_link(request, invited)


@require_POST
def lock(request: HttpRequest, pk: int) -> HttpResponse:
    member = _member(request, pk)
    with telling(request):
        services.lock(user=person(request), membership=member)
        messages.success(request, f"{member.user} is locked and signed out everywhere.")
    return redirect("accounts:people")


@require_POST
def unlock(request: HttpRequest, pk: int) -> HttpResponse:
    member = _member(request, pk)
    with telling(request):
        services.unlock(user=person(request), membership=member)
        messages.success(request, f"{member.user} can sign in again. What was proposed before, others approve.")
    return redirect("accounts:people")


@require_POST
def set_role(request: HttpRequest, pk: int) -> HttpResponse:
    member = _member(request, pk)
    form = RoleForm(request.POST)
    if form.is_valid():
        with telling(request):
            role, seen = form.cleaned_data["role"], form.cleaned_data["seen"] or None
            services.set_role(user=person(request), membership=member, role=role, seen=seen)
            messages.success(request, f"Changed what {member.user} may do.")
    return redirect("accounts:people")


def _member(request: HttpRequest, pk: int) -> Membership:
    return access.get_managed(request.user, Membership.objects.select_related("team", "user"), pk=pk)


def _show_link(request: HttpRequest, invited: Invited) -> HttpResponse:
    """The only page that ever shows the link."""
    address = request.build_absolute_uri(reverse("accounts:invitation", args=[invited.token]))
    return render(request, "accounts/link.html", {"invited": invited, "address": address})
