from __future__ import annotations

from django.urls import path

from lbftp.changes import importing, views

app_name = "changes"
urlpatterns = [
    path("changes/", views.changes, name="changes"),
    path("changes/<int:pk>/", views.change, name="change"),
    path("changes/<int:pk>/live/", views.change_live, name="change-live"),
    path("changes/<int:pk>/approve/", views.approve, name="approve"),
    path("changes/<int:pk>/reject/", views.reject, name="reject"),
    path("changes/<int:pk>/apply/", views.apply, name="apply"),
    path("changes/<int:pk>/dry-run/", views.dry_run, name="dry-run"),
    path("changes/<int:pk>/replan/", views.replan, name="replan"),
    path("clusters/<int:pk>/propose/", views.propose, name="propose"),
    path("clusters/<int:pk>/set-keys/", views.set_keys, name="set-keys"),
    path("clusters/<int:pk>/verify/", views.verify, name="verify"),
    path("clusters/<int:pk>/comply/", views.comply, name="comply"),
    path("runs/", views.runs, name="runs"),
    path("runs/<int:pk>/", views.run, name="run"),
    path("runs/<int:pk>/live/", views.run_live, name="run-live"),
    path("runs/<int:pk>/cancel/", views.run_cancel, name="run-cancel"),
    path("runs/<int:pk>/extend/", views.run_extend, name="run-extend"),
    path("runs/<int:pk>/confirm/", views.run_confirm, name="run-confirm"),
    path("runs/<int:pk>/roll-back/", views.roll_back, name="roll-back"),
    path("runs/<int:pk>/import/", importing.save, name="run-import"),
    path("routers/<int:pk>/import/", importing.look, name="import"),
    path("audit/", views.audit, name="audit"),
]
