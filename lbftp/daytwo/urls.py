from __future__ import annotations

from django.urls import path

from lbftp.daytwo import views

app_name = "daytwo"
urlpatterns = [
    path("clusters/<id:pk>/servers/", views.cluster, name="cluster"),
    path("clusters/<id:pk>/servers/live/", views.cluster_live, name="cluster-live"),
    *(
        path(f"clusters/<id:pk>/servers/{verb}/", views.ask, {"verb": verb}, name=verb)
        for verb in ("drain", "disable", "enable", "weight", "sorry")
    ),
    path("clusters/<id:pk>/servers/alone/", views.alone, name="alone"),
    path("drains/<id:pk>/", views.drain_of, name="drained"),
    path("changes/<id:pk>/undo/", views.undo, name="undo"),
]
