from __future__ import annotations

from django.apps import AppConfig


class ProofsConfig(AppConfig):
    name = "lbftp.proofs"
    default_auto_field = "django.db.models.BigAutoField"
