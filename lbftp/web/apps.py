from __future__ import annotations

from django.apps import AppConfig


class WebConfig(AppConfig):
    """What all pages share: the frame, icons and states, differences, forms that show what services refuse."""

    name = "lbftp.web"
