from __future__ import annotations

from django.urls import path

from lbftp.changes import importing, views

app_name = "changes"
urlpatterns = [
    path("changes/", views.changes, name="changes"),
    path("changes/<id:pk>/", views.change, name="change"),
    path("changes/<id:pk>/live/", views.change_live, name="change-live"),
    path("changes/<id:pk>/approve/", views.approve, name="approve"),
    path("changes/<id:pk>/reject/", views.reject, name="reject"),
    path("changes/<id:pk>/apply/", views.apply, name="apply"),
    path("changes/<id:pk>/dry-run/", views.dry_run, name="dry-run"),
    path("changes/<id:pk>/replan/", views.replan, name="replan"),
    path("clusters/<id:pk>/propose/", views.propose, name="propose"),
    path("clusters/<id:pk>/set-keys/", views.set_keys, name="set-keys"),
    path("clusters/<id:pk>/verify/", views.verify, name="verify"),
    path("clusters/<id:pk>/comply/", views.comply, name="comply"),
    path("runs/", views.runs, name="runs"),
    path("runs/<id:pk>/", views.run, name="run"),
    path("runs/<id:pk>/live/", views.run_live, name="run-live"),
    path("runs/<id:pk>/cancel/", views.run_cancel, name="run-cancel"),
    path("runs/<id:pk>/extend/", views.run_extend, name="run-extend"),
    path("runs/<id:pk>/confirm/", views.run_confirm, name="run-confirm"),
    path("runs/<id:pk>/roll-back/", views.roll_back, name="roll-back"),
    path("runs/<id:pk>/import/", importing.save, name="run-import"),
    path("routers/<id:pk>/import/", importing.look, name="import"),
    path("audit/", views.audit, name="audit"),
]
