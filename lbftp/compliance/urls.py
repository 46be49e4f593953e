from __future__ import annotations

from django.urls import path

from lbftp.compliance import views

app_name = "compliance"
urlpatterns = [
    path("compliance/", views.policies, name="policies"),
    path("clusters/<id:pk>/compliance/", views.cluster, name="cluster"),
]
