from __future__ import annotations

from django.urls import path

from lbftp.daytwo import views

app_name = "daytwo"
urlpatterns = [
    path("clusters/<int:pk>/servers/", views.cluster, name="cluster"),
    path("clusters/<int:pk>/servers/live/", views.cluster_live, name="cluster-live"),
    *(
        path(f"clusters/<int:pk>/servers/{verb}/", views.ask, {"verb": verb}, name=verb)
        for verb in ("drain", "disable", "enable", "weight", "sorry")
    ),
    path("clusters/<int:pk>/servers/alone/", views.alone, name="alone"),
    path("drains/<int:pk>/", views.drain_of, name="drained"),
    path("changes/<int:pk>/undo/", views.undo, name="undo"),
]
