"""The buttons of an import: on a router's page, and beside what a run proposes."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from lbftp.accounts import access
from lbftp.changes.models import Run
from lbftp.changes.services import imports
from lbftp.inventory.models import Router
from lbftp.web.acting import person, row_id, telling


@require_POST
def look(request: HttpRequest, pk: int) -> HttpResponse:
    """Starts the run; `beside` is the other router of the pair, if there is one to look at."""
    router = access.get_writable(request.user, Router, pk=pk)
    beside = request.POST.get("beside", "")
    both = [router, *([access.get_writable(request.user, Router, pk=row_id(beside))] if beside else [])]
    with telling(request):
        return redirect("changes:run", imports.start(user=person(request), team=router.team, routers=both).pk)
    return redirect("inventory:router", pk)


@require_POST
def save(request: HttpRequest, pk: int) -> HttpResponse:
    """A draft from one proposal, opened in the form for what is still to decide."""
    run = access.get_writable(request.user, Run, pk=pk)
    name, new_name = request.POST.get("proposal", ""), request.POST.get("name", "").strip()
    with telling(request):
        saved = imports.save(user=person(request), run=run, name=name, new_name=new_name)
        messages.success(request, f"Saved the draft of {saved}. No router knows of it before it is applied.")
        return redirect("clusters:edit", saved.pk)
    return redirect("changes:run", pk)
