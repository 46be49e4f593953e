"""What manage.py warns of. A start by `make run` puts it right itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004 - Django's name

from lbftp.health.services import permissions


@register(Tags.security)
def closed_to_others(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001
    """W001: others on this machine can read what the site keeps."""
    wrong = permissions.open_to_others()
    if not wrong:
        return []
    text = f"Others on this machine can read {len(wrong)} files or folders of this site, such as {wrong[0]}."
    return [Warning(text, hint="chmod -R go= LBFTP_VAR", id="lbftp.health.W001")]
