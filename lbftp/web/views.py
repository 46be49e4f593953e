from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from lbftp.web.acting import person, polled
from lbftp.web.fleet import fleet


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "web/home.html", {"fleet": fleet(person(request))})


@polled
@require_safe
def home_live(request: HttpRequest) -> HttpResponse:
    return render(request, "web/_fleet.html", {"fleet": fleet(person(request))})
