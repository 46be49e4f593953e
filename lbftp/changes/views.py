from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, IntegerField, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lbftp.accounts import access
from lbftp.changes import audit as audit_page
from lbftp.changes import change_page, run_page, services
from lbftp.changes.errors import Invalid
from lbftp.changes.forms import ProposeForm, RejectForm
from lbftp.changes.models import ChangeRequest, Run, Transition
from lbftp.changes.services.orders import may_order
from lbftp.clusters.models import Cluster
from lbftp.clusters.specs import check_draft
from lbftp.web.acting import may, one_page, person, polled, sent, telling

C = ChangeRequest.State
_CHANGES = ChangeRequest.objects.select_related("cluster__team", "cluster__applied", "revision", "author")
_URGENCY = Case(
    When(state__in=[C.PROPOSED, C.STALE], then=0),
    When(state__in=[C.APPROVED, C.APPLYING, C.PLANNING], then=1),
    default=2,
    output_field=IntegerField(),
)
_RUNS = Run.objects.select_related("cluster", "change", "started_by", "cancelled_by", "team")


@require_safe
def changes(request: HttpRequest) -> HttpResponse:
    """What waits and what goes on comes first, then the newest."""
    found = access.visible(request.user, _CHANGES.defer("plan")).order_by(_URGENCY, "-pk")
    return render(request, "changes/changes.html", {"page": one_page(request, found)})


@require_http_methods(["GET", "POST"])
def propose(request: HttpRequest, pk: int) -> HttpResponse:
    cluster = access.get_writable(request.user, Cluster, pk=pk)
    form = ProposeForm(sent(request))
    if change := form.carry_out(services.propose, user=person(request), cluster=cluster):
        return redirect("changes:change", change.pk)
    problems = check_draft(cluster, cluster.team)
    stopped = any(p["severity"] == "error" for p in problems)
    context = {"form": form, "cluster": cluster, "problems": problems, "stopped": stopped}
    return render(request, "changes/propose.html", context, status=form.status)


@require_safe
def change(request: HttpRequest, pk: int) -> HttpResponse:
    return _change(request, pk, "changes/change.html")


@polled
@require_safe
def change_live(request: HttpRequest, pk: int) -> HttpResponse:
    return _change(request, pk, "changes/_change.html")


def _change(request: HttpRequest, pk: int, template: str, form: RejectForm | None = None) -> HttpResponse:
    found = access.get(request.user, _CHANGES, pk=pk)
    context = {"page": change_page.page(found, person(request)), "form": form or RejectForm()}
    return render(request, template, context, status=form.status if form else 200)


@require_POST
def approve(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.get_writable(request.user, _CHANGES, pk=pk)
    with telling(request):
        digest, reason = request.POST.get("plan_digest", ""), request.POST.get("reason", "")
        services.approve(user=person(request), change=found, plan_digest=digest, reason=reason)
        messages.success(request, "Approved. It covers exactly the plan below.")
    return redirect("changes:change", pk)


@require_POST
def reject(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.get_writable(request.user, _CHANGES, pk=pk)
    form = RejectForm(request.POST)
    form.carry_out(services.reject, user=person(request), change=found)
    return _change(request, pk, "changes/change.html", form) if form.errors else redirect("changes:change", pk)


@require_POST
def apply(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.get_writable(request.user, _CHANGES, pk=pk)
    with telling(request):
        return redirect("changes:run", services.apply_change(user=person(request), change=found).pk)
    return redirect("changes:change", pk)


@require_POST
def dry_run(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.get_writable(request.user, _CHANGES, pk=pk)
    with telling(request):
        return redirect("changes:run", services.dry_run(user=person(request), change=found).pk)
    return redirect("changes:change", pk)


@require_POST
def replan(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.get_writable(request.user, _CHANGES, pk=pk)
    with telling(request):
        services.replan(user=person(request), change=found)
    return redirect("changes:change", pk)


@require_POST
def set_keys(request: HttpRequest, pk: int) -> HttpResponse:
    cluster = access.get_writable(request.user, Cluster, pk=pk)
    with telling(request):
        names, reason = request.POST.getlist("servers"), request.POST.get("reason", "")
        if not names:
            raise Invalid.at("servers", "None was chosen.", "Choose the real servers to set.")
        change = services.set_keys(user=person(request), cluster=cluster, servers=names, reason=reason)
        return redirect("changes:change", change.pk)
    return redirect("clusters:cluster", pk)


@require_POST
def verify(request: HttpRequest, pk: int) -> HttpResponse:
    cluster = access.get_writable(request.user, Cluster, pk=pk)
    with telling(request):
        return redirect("changes:run", services.verify(user=person(request), cluster=cluster).pk)
    return redirect("clusters:cluster", pk)


@require_POST
def comply(request: HttpRequest, pk: int) -> HttpResponse:
    cluster = access.get_writable(request.user, Cluster, pk=pk)
    reapply = request.POST.get("reapply") == "yes"
    with telling(request):
        return redirect("changes:run", services.comply(user=person(request), cluster=cluster, reapply=reapply).pk)
    return redirect("clusters:cluster", pk)


@require_safe
def runs(request: HttpRequest) -> HttpResponse:
    found = access.visible(request.user, _RUNS.defer("result"))
    if cluster := request.GET.get("cluster", ""):
        found = found.filter(cluster__name=cluster)
    return render(request, "changes/runs.html", {"page": one_page(request, found), "cluster": cluster})


@require_safe
def run(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.get(request.user, _RUNS, pk=pk)
    return render(request, "changes/run.html", _of_run(request, found, run_page.page(found)))


@polled
@require_safe
def run_live(request: HttpRequest, pk: int) -> HttpResponse:
    """The part of the page that changes; 204 if the browser has all of it already."""
    found = access.get(request.user, _RUNS, pk=pk)
    page = run_page.page(found)
    if request.GET.get("have") == f"{page.view.last_seq}:{found.state}":
        return HttpResponse(status=204)
    return render(request, "changes/_run.html", _of_run(request, found, page))


@require_POST
def run_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    found = _ordered(request, pk)
    with telling(request):
        services.cancel(user=person(request), run=found)
    return redirect("changes:run", pk)


@require_POST
def run_extend(request: HttpRequest, pk: int) -> HttpResponse:
    found = _ordered(request, pk)
    with telling(request):
        services.extend(user=person(request), run=found)
    return redirect("changes:run", pk)


@require_POST
def run_confirm(request: HttpRequest, pk: int) -> HttpResponse:
    found = _ordered(request, pk)
    with telling(request):
        services.confirm(user=person(request), run=found)
    return redirect("changes:run", pk)


@require_POST
def roll_back(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.get_writable(request.user, _RUNS, pk=pk)
    with telling(request):
        change = services.roll_back(user=person(request), run=found, reason=request.POST.get("reason", ""))
        return redirect("changes:change", change.pk)
    return redirect("changes:run", pk)


def _ordered(request: HttpRequest, pk: int) -> Run:
    """A run that this person may tell what to do: 404 to strangers, 403 to those who only read."""
    found = access.get(request.user, _RUNS, pk=pk)
    if not may_order(person(request), found):
        raise PermissionDenied("Only operators of the team, and whoever started the run, may do that.")
    return found


def _of_run(request: HttpRequest, found: Run, page: run_page.RunPage) -> dict[str, Any]:
    open_to_orders = page.live and found.cancelled_at is None and found.confirmed_at is None
    ordering = open_to_orders and may_order(person(request), found)
    context = {"page": page, "run": found, "subject": run_page.subject(found), "operated": may(request, found)}
    return {**context, "ordering": ordering}


@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    found = access.visible(request.user, Transition.objects.select_related("user", "team")).order_by("-pk")
    subject = request.GET.get("subject", "")
    if subject in audit_page.SUBJECTS:
        found = found.filter(subject=subject)
    page = one_page(request, found, 100)
    shown = {"page": page, "entries": audit_page.entries(list(page))}
    context = {**shown, "subject": subject, "subjects": audit_page.SUBJECTS}
    return render(request, "changes/audit.html", context)
