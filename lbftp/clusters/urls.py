from __future__ import annotations

from django.urls import path

from lbftp.clusters import views, why

app_name = "clusters"
urlpatterns = [
    path("clusters/new/", views.new, name="new"),
    path("clusters/check/", views.check, name="check"),
    path("clusters/<int:pk>/", views.cluster, name="cluster"),
    path("clusters/<int:pk>/live/", views.cluster_live, name="cluster-live"),
    path("clusters/<int:pk>/why/", why.why, name="why"),
    path("clusters/<int:pk>/edit/", views.edit, name="edit"),
    path("clusters/<int:pk>/revisions/<int:number>/", views.revision, name="revision"),
]
