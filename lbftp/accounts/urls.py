from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path

from lbftp.accounts import entry, views

app_name = "accounts"
urlpatterns = [
    path("sign-in/", entry.login, name="login"),
    path("session/", entry.session, name="session"),
    path("sign-out/", LogoutView.as_view(), name="logout"),
    path("welcome/", entry.welcome, name="welcome"),
    path("people/", views.people, name="people"),
    path("password/", entry.password, name="password"),
    path("invitation/<str:token>/", entry.invitation, name="invitation"),
    path("people/add/", views.add_person, name="add-person"),
    path("people/<id:pk>/link/", views.new_link, name="new-link"),
    path("people/<id:pk>/lock/", views.lock, name="lock"),
    path("people/<id:pk>/unlock/", views.unlock, name="unlock"),
    path("people/<id:pk>/role/", views.set_role, name="set-role"),
]
