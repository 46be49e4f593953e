"""Addresses of the pages, an include an app."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("lbftp.web.urls")),
    path("", include("lbftp.accounts.urls")),
    path("", include("lbftp.inventory.urls")),
    path("", include("lbftp.clusters.urls")),
    path("", include("lbftp.changes.urls")),
    path("", include("lbftp.compliance.urls")),
    path("", include("lbftp.numbers.urls")),
    path("", include("lbftp.proofs.urls")),
    path("", include("lbftp.daytwo.urls")),
    path("", include("lbftp.health.urls")),
]

handler400 = "lbftp.web.errors.bad_request"
handler403 = "lbftp.web.errors.forbidden"
handler404 = "lbftp.web.errors.not_found"
handler500 = "lbftp.web.errors.broken"
