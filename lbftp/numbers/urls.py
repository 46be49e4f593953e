from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from lbftp.numbers import views

app_name = "numbers"
urlpatterns: list[URLPattern | URLResolver] = [
    path("metrics", views.scrape, name="metrics"),
]
