"""The Celery application. Its tasks live in `workers.tasks`; the web side sends them by name (`lbftp.dispatch`)."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lbftp.settings")

app = Celery("lbftp", include=["workers.tasks"])
app.config_from_object("django.conf:settings", namespace="CELERY")
# By name: the web side has this application as well, and does not know the workers.
app.steps["consumer"].add("workers.life:MainLoop")
