from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lbftp.accounts import access
from lbftp.accounts.models import Role
from lbftp.changes.models import ChangeRequest
from lbftp.clusters.models import Cluster
from lbftp.compliance.forms import zones
from lbftp.proofs import page
from lbftp.proofs.forms import FailoverForm, MaintenanceForm, ProofForm, RebootForm, RestartForm, WindowForm
from lbftp.proofs.models import Window
from lbftp.proofs.services import proposing, windows
from lbftp.web.acting import may, person, sent

_CLUSTERS: Final = Cluster.objects.select_related("team", "applied")
_KINDS: Final[dict[str, tuple[type[ProofForm], Callable[..., ChangeRequest]]]] = {
    "restart": (RestartForm, proposing.restart),
    "reboot": (RebootForm, proposing.reboot),
    "failover": (FailoverForm, proposing.failover),
    "maintenance": (MaintenanceForm, proposing.maintain),
}


@require_safe
def cluster(request: HttpRequest, pk: int) -> HttpResponse:
    """What was proven, who rests, the window; for those who may, the way to propose more."""
    found = access.get(request.user, _CLUSTERS, pk=pk)
    return _page(request, found, _window_form(None, found))


@require_POST
def window(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.get_managed(request.user, _CLUSTERS, pk=pk)
    form = _window_form(sent(request), found)
    if form.carry_out(windows.set_window, user=person(request), cluster=found):
        messages.success(request, f"The maintenance window of {found} is set.")
        return redirect("proofs:cluster", pk)
    return _page(request, found, form)


@require_http_methods(["GET", "POST"])
def propose(request: HttpRequest, pk: int, kind: str) -> HttpResponse:
    found = access.get_writable(request.user, _CLUSTERS, pk=pk)
    standing, (form_of, verb) = page.standing(found), _KINDS[kind]
    resting = [name for name, rest in standing.routers if rest]
    form = form_of(sent(request), routers=[name for name, _ in standing.routers], resting=resting)
    if change := form.carry_out(verb, user=person(request), cluster=found):
        return redirect("changes:change", change.pk)
    context = {"form": form, "cluster": found, "kind": kind, "standing": standing}
    return render(request, "proofs/propose.html", context, status=form.status)


def _page(request: HttpRequest, found: Cluster, form: WindowForm) -> HttpResponse:
    context = {
        "cluster": found,
        "standing": page.standing(found),
        "past": page.past(found),
        "operated": may(request, found),
        "managed": may(request, found, Role.ADMIN),
        "form": form,
        "zones": zones(),
    }
    return render(request, "proofs/cluster.html", context, status=form.status)


def _window_form(data: QueryDict | None, found: Cluster) -> WindowForm:
    window = windows.window_of(found)
    shown = windows.stored_values(window or Window(cron="0 2 * * 0", minutes=120))
    stored = windows.stored_values(window)
    return WindowForm(data, initial=shown, stored=stored, subject=f"window {found.pk}")
