from __future__ import annotations

from django.apps import AppConfig

from lbftp.web import converters


class WebConfig(AppConfig):
    """What all pages share: the frame, icons and states, differences, forms that show what services refuse."""

    name = "lbftp.web"

    def ready(self) -> None:
        """Before any URLconf is read: they name the converter."""
        converters.register()
