from __future__ import annotations

from django.urls import path

from lbftp.web import views

urlpatterns = [
    path("", views.home, name="home"),
    path("live/", views.home_live, name="home-live"),
]
