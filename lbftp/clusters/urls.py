from __future__ import annotations

from django.urls import path

from lbftp.clusters import views, why

app_name = "clusters"
urlpatterns = [
    path("clusters/new/", views.new, name="new"),
    path("clusters/check/", views.check, name="check"),
    path("clusters/<id:pk>/", views.cluster, name="cluster"),
    path("clusters/<id:pk>/live/", views.cluster_live, name="cluster-live"),
    path("clusters/<id:pk>/why/", why.why, name="why"),
    path("clusters/<id:pk>/edit/", views.edit, name="edit"),
    path("clusters/<id:pk>/revisions/<id:number>/", views.revision, name="revision"),
]
