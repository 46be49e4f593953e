from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from lbftp.accounts import access
from lbftp.clusters.models import Cluster
from lbftp.numbers import metrics
from lbftp.numbers.page import page
from lbftp.numbers.present import present
from lbftp.web.acting import polled

_CLUSTERS = Cluster.objects.select_related("team", "applied").order_by("team__name", "name")


@require_safe
def cluster(request: HttpRequest, pk: int) -> HttpResponse:
    """Pictures over a span of the asker's choice."""
    found = access.get(request.user, _CLUSTERS, pk=pk)
    context = {"page": page(found, request.GET.get("over", ""), whole=True)}
    return render(request, "numbers/cluster.html", context)


@polled
@require_safe
def cluster_live(request: HttpRequest, pk: int) -> HttpResponse:
    """The part that renews itself; `whole` for the page of its own."""
    found = access.get(request.user, _CLUSTERS, pk=pk)
    context = {"page": page(found, request.GET.get("over", ""), whole="whole" in request.GET)}
    return render(request, "numbers/_numbers.html", context)


@login_not_required
@require_safe
@never_cache
def scrape(request: HttpRequest) -> HttpResponse:
    """For Prometheus: all clusters to who has the site's token, those of their teams to people who signed in."""
    mine = _CLUSTERS if _has_token(request) else access.visible(request.user, _CLUSTERS)
    if mine is not _CLUSTERS and not request.user.is_authenticated:
        text = "Send LBFTP_METRICS_TOKEN as a bearer token, or sign in.\n"
        return HttpResponse(text, "text/plain", 401, headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(metrics.text(present(list(mine.all()))), content_type=metrics.CONTENT_TYPE)


def _has_token(request: HttpRequest) -> bool:
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    wanted = settings.METRICS_TOKEN
    return bool(wanted) and kind.lower() == "bearer" and constant_time_compare(given.strip(), wanted)
