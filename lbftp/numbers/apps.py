from __future__ import annotations

from django.apps import AppConfig


class NumbersConfig(AppConfig):
    name = "lbftp.numbers"
    default_auto_field = "django.db.models.BigAutoField"
