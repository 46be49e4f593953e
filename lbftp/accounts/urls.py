from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path

from lbftp.accounts import views

app_name = "accounts"
urlpatterns = [
    path("sign-in/", views.login, name="login"),
    path("sign-out/", LogoutView.as_view(), name="logout"),
    path("welcome/", views.welcome, name="welcome"),
    path("people/", views.people, name="people"),
    path("people/add/", views.add_person, name="add-person"),
    path("people/<int:pk>/role/", views.set_role, name="set-role"),
]
