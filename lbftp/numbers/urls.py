from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from lbftp.numbers import views

app_name = "numbers"
urlpatterns: list[URLPattern | URLResolver] = [
    path("clusters/<id:pk>/numbers/", views.cluster, name="cluster"),
    path("clusters/<id:pk>/numbers/live/", views.cluster_live, name="cluster-live"),
    path("metrics", views.scrape, name="metrics"),
]
