from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "lbftp.accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from lbftp.accounts import signals  # noqa: F401 - connects its receivers
        from lbftp.accounts.logs import keep_links_out

        keep_links_out()
