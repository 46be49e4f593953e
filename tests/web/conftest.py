from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.worlds import World

As = Callable[[User | None], Client]


@pytest.fixture
def browse(world: World) -> As:
    """A browser of that person; None is somebody who did not sign in."""

    def of(user: User | None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    return of
