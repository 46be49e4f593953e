from __future__ import annotations

from django.urls import path

from lbftp.proofs import views

app_name = "proofs"
urlpatterns = [
    path("clusters/<int:pk>/proofs/", views.cluster, name="cluster"),
    path("clusters/<int:pk>/proofs/window/", views.window, name="window"),
    *(
        path(f"clusters/<int:pk>/proofs/{kind}/", views.propose, {"kind": kind}, name=kind)
        for kind in ("restart", "reboot", "failover", "maintenance")
    ),
]
