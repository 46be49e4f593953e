from __future__ import annotations

from django.apps import AppConfig


class ChangesConfig(AppConfig):
    name = "lbftp.changes"
    default_auto_field = "django.db.models.BigAutoField"
