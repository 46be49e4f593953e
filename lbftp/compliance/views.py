from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from lbftp.accounts import access
from lbftp.changes.models import ChangeRequest
from lbftp.clusters.models import Cluster
from lbftp.compliance import services
from lbftp.compliance.forms import PolicyForm, zones
from lbftp.compliance.models import Policy
from lbftp.compliance.page import Row, rows, standing
from lbftp.web.acting import may, person, sent


@require_safe
def policies(request: HttpRequest) -> HttpResponse:
    """Every cluster with its schedule, those without one included, and the newest findings of all."""
    clusters = list(access.visible(request.user, Cluster).select_related("team", "policy"))
    findings = [one for found in clusters for one in standing(found)]
    return render(request, "compliance/policies.html", {"rows": rows(clusters), "findings": findings})


@require_http_methods(["GET", "POST"])
def cluster(request: HttpRequest, pk: int) -> HttpResponse:
    found = (access.get_writable if request.method == "POST" else access.get)(request.user, Cluster, pk=pk)
    policy = Policy.objects.filter(cluster=found).first()
    shown, stored = services.stored_values(policy or Policy()), services.stored_values(policy)
    form = PolicyForm(sent(request), initial=shown, stored=stored, subject=f"schedule {pk}")
    if result := form.carry_out(services.set_policy, user=person(request), cluster=found):
        if isinstance(result, ChangeRequest):
            messages.info(request, "Proposed: the schedule is in force once somebody else approves it.")
            return redirect("changes:change", result.pk)
        messages.success(request, f"The schedule of {found} is set.")
        return redirect("compliance:cluster", pk)
    context = {
        "cluster": found,
        "row": Row.of(found, policy),
        "form": form,
        "zones": zones(),
        "operated": may(request, found),
        "occurrences": policy.occurrences.select_related("run")[:40] if policy else [],
        "findings": standing(found),
        "waiting": found.changes.filter(kind=ChangeRequest.Kind.POLICY, state=ChangeRequest.State.PROPOSED),
    }
    return render(request, "compliance/cluster.html", context, status=form.status)
