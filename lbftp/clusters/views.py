from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lbftp.accounts import access
from lbftp.accounts.models import Role, Team
from lbftp.clusters import history, overview, preview, services
from lbftp.clusters.drafts import Draft
from lbftp.clusters.forms import ClusterForm
from lbftp.clusters.models import Cluster, Revision
from lbftp.clusters.specs import check_draft, spec_of_draft
from lbftp.core.spec import from_json
from lbftp.web.acting import person, polled, row_id, sent, team_for, teams_with

_CLUSTERS = Cluster.objects.select_related("team", "applied", "probe_account")
# Where problems of the spec are shown, if not at a field of their own name.
_PLACES = {
    "priority": "routers",
    "public_interface": "routers",
    "internal_interface": "routers",
    "public_address": "routers",
    "internal_address": "routers",
    "public_address6": "routers",
    "internal_address6": "routers",
    "weight": "real_servers",
    "upper_threshold": "real_servers",
    "lower_threshold": "real_servers",
    "control_port": "control_ports",
    "passive": "passive_low",
}


@require_safe
def cluster(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.get(request.user, _CLUSTERS, pk=pk)
    return render(request, "clusters/cluster.html", {"page": overview.page(found, person(request))})


@polled
@require_safe
def cluster_live(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.get(request.user, _CLUSTERS, pk=pk)
    return render(request, "clusters/_cluster.html", {"page": overview.page(found, person(request))})


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    return _form(request, team_for(request, Role.OPERATOR), None)


@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.get_writable(request.user, _CLUSTERS.prefetch_related("probe_hosts"), pk=pk)
    return _form(request, found.team, found)


def _form(request: HttpRequest, team: Team, found: Cluster | None) -> HttpResponse:
    form = ClusterForm(sent(request), team=team, cluster=found)
    if saved := form.carry_out(services.save_draft, user=person(request), team=team, cluster=found):
        messages.success(
            request, f"Saved the draft of {saved}. No router knows of it before it is proposed and applied."
        )
        return redirect("clusters:cluster", saved.pk)
    context = {"form": form, "team": team, "cluster": found, "teams": teams_with(request, Role.OPERATOR)}
    return render(request, "clusters/form.html", context, status=form.status)


@require_POST
def check(request: HttpRequest) -> HttpResponse:
    """What lint says about the form as it stands, for each field, and what machines would hold; saves nothing."""
    pk = request.POST.get("cluster", "")
    found = access.get_writable(request.user, _CLUSTERS, pk=row_id(pk)) if pk else None
    team = found.team if found else team_for(request, Role.OPERATOR)
    form = ClusterForm(request.POST, team=team, cluster=found)
    name = request.POST.get("name", "")
    problems = check_draft(form.typed_draft(), team, name=name, cluster=found)
    context: dict[str, Any] = {
        "problems": problems,
        "places": _placed(form, problems),
        "summaries": [*form.summaries(), form.limits],
        "compared": found.applied.number if found and found.applied else None,
        "stopped": any(p["severity"] == "error" for p in problems),
        "moved_on": form.moved_on() if found else None,
    }
    if not context["stopped"]:
        context["machines"] = _preview(form.typed_draft(), team, name or "new", found)
    return render(request, "clusters/_lint.html", context)


def _preview(draft: Draft, team: Team, name: str, found: Cluster | None) -> list[preview.Machine]:
    applied = from_json(found.applied.spec) if found and found.applied else None
    return preview.machines(spec_of_draft(draft, team, name), applied)


def _placed(form: ClusterForm, problems: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Every place of the form with its problems; an empty list clears what was shown there."""
    slots: dict[str, list[dict[str, Any]]] = {
        name: [] for name in [*form.fields, "routers", "real_servers"] if "-" not in name and name != "seen"
    }
    for problem in problems:
        slots.get(_PLACES.get(problem["field"], problem["field"]), []).append(problem)
    return slots


@require_safe
def revision(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """One revision, and what it changed."""
    rows = Revision.objects.select_related("cluster__team", "author")
    found = access.get(request.user, rows, cluster_id=pk, number=number)
    older = found.cluster.revisions.filter(number__lt=number).order_by("-number").first()
    context = {"revision": found, "older": older, "diff": history.difference(older, found), "text": history.text(found)}
    return render(request, "clusters/revision.html", context)
