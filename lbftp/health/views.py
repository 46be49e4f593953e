"""For load balancers and monitoring: no sign-in, no secrets, nothing about anybody's clusters."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from lbftp.health import services


@login_not_required
@require_safe
@never_cache
def healthz(_request: HttpRequest) -> HttpResponse:
    """200 while this process answers, whatever else is broken."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@require_safe
@never_cache
def readyz(_request: HttpRequest) -> HttpResponse:
    """200 if every part works, else 503; the body names each part."""
    parts = services.readiness()
    ready = all(part.ok for part in parts)
    body = {"ready": ready, "parts": {p.name: {"ok": p.ok, "message": p.message} for p in parts}}
    return JsonResponse(body, status=200 if ready else 503)
