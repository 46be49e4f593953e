from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from lbftp.health import views

app_name = "health"
urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
]
