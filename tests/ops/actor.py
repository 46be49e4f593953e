"""A process inside the site under test: people, their sessions, and runs that are asked for."""

from __future__ import annotations

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lbftp.settings")
django.setup()

from django.test import Client  # noqa: E402

from lbftp.changes.models import Run  # noqa: E402
from tests import worlds  # noqa: E402
from tests.insider import serve  # noqa: E402


class Stage:
    """What the process remembers between lines."""

    def __init__(self) -> None:
        self.world = worlds.build()

    def sign_in(self, name: str) -> dict[str, Any]:
        """A session of a person of the world."""
        client = Client()
        client.force_login(getattr(self.world, name))
        return {"session": client.cookies["sessionid"].value}

    def queued(self) -> int:
        """How many runs no worker has taken."""
        return Run.objects.filter(state=Run.State.QUEUED).count()


if __name__ == "__main__":
    serve(Stage())
