from __future__ import annotations

from django.urls import path

from lbftp.proofs import views

app_name = "proofs"
urlpatterns = [
    path("clusters/<id:pk>/proofs/", views.cluster, name="cluster"),
    path("clusters/<id:pk>/proofs/window/", views.window, name="window"),
    *(
        path(f"clusters/<id:pk>/proofs/{kind}/", views.propose, {"kind": kind}, name=kind)
        for kind in ("restart", "reboot", "failover", "maintenance")
    ),
]
