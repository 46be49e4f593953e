from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from lbftp.accounts import access
from lbftp.accounts.models import Role
from lbftp.changes.models import ChangeRequest
from lbftp.clusters.models import Cluster
from lbftp.daytwo import page
from lbftp.daytwo.forms import AloneForm, EnableForm, ServerForm, SorryForm, WeightForm
from lbftp.daytwo.models import Drain
from lbftp.daytwo.services import acting
from lbftp.web.acting import may, person, polled, telling
from lbftp.web.forms import ServiceForm

_CLUSTERS: Final = Cluster.objects.select_related("team", "applied")
_VERBS: Final[dict[str, tuple[type[ServiceForm], Callable[..., ChangeRequest]]]] = {
    "drain": (ServerForm, acting.drain),
    "disable": (ServerForm, acting.disable),
    "enable": (EnableForm, acting.enable),
    "weight": (WeightForm, acting.weigh),
    "sorry": (SorryForm, acting.set_sorry),
}


@require_safe
def cluster(request: HttpRequest, pk: int) -> HttpResponse:
    """Who is in rotation, what drained ones still have, what was done before."""
    found = access.get(request.user, _CLUSTERS, pk=pk)
    return _page(request, found, "daytwo/cluster.html")


@polled
@require_safe
def cluster_live(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.get(request.user, _CLUSTERS, pk=pk)
    return _page(request, found, "daytwo/_servers.html")


@require_safe
def drain_of(request: HttpRequest, pk: int) -> HttpResponse:
    """A drain's place is its cluster's page."""
    found = access.get(request.user, Drain.objects.select_related("cluster__team", "cluster__applied"), pk=pk)
    return _page(request, found.cluster, "daytwo/cluster.html")


@require_POST
def ask(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Asks for one day-two change; it is planned at once and its page tells what follows."""
    found = access.get_writable(request.user, _CLUSTERS, pk=pk)
    form_of, service = _VERBS[verb]
    form = form_of(request.POST)
    if change := form.carry_out(service, user=person(request), cluster=found):
        return redirect("changes:change", change.pk)
    for errors in form.errors.values():
        for text in errors:
            messages.error(request, str(text))
    return redirect("daytwo:cluster", pk)


@require_POST
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.get_writable(request.user, ChangeRequest.objects.select_related("cluster__applied"), pk=pk)
    with telling(request):
        return redirect("changes:change", acting.undo(user=person(request), change=found).pk)
    return redirect("changes:change", pk)


@require_POST
def alone(request: HttpRequest, pk: int) -> HttpResponse:
    found = access.get_managed(request.user, _CLUSTERS, pk=pk)
    form = AloneForm(request.POST)
    if form.is_valid():
        acting.allow_operators(user=person(request), cluster=found, **form.cleaned_data)
        messages.success(request, "Saved who may do these alone.")
    return redirect("daytwo:cluster", pk)


def _page(request: HttpRequest, found: Cluster, template: str) -> HttpResponse:
    standing = page.standing(found)
    context = {
        "cluster": found,
        "standing": standing,
        "past": page.past(found),
        "operated": may(request, found),
        "managed": may(request, found, Role.ADMIN),
        "sorry": SorryForm(initial=standing.sorry_initial),
    }
    return render(request, template, context)
