from __future__ import annotations

from django.apps import AppConfig


class HealthConfig(AppConfig):
    name = "lbftp.health"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from lbftp.health import checks  # noqa: F401 - registers them
