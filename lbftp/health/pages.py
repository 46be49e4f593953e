"""What every page can say of the site itself."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest

from lbftp.health import services


def restarts(request: HttpRequest) -> dict[str, Callable[[], list[services.Restart]]]:
    """`restarts`: what the watchdog restarted in the last minutes, for people who are signed in. Read from a file, and
    only where a template asks."""
    return {"restarts": lambda: services.recent_restarts() if request.user.is_authenticated else []}
