"""A router that does not answer, or not in time, costs only itself."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.conf import settings
from django.utils import timezone

from lbftp.core.job import Access, Look
from lbftp.inventory.models import Router
from lbftp.numbers.models import Watch
from tests.core.cases import GUIDE
from tests.worlds import World, applied, host_key, private_key
from workers import sampling, tasks
from workers.remote import Limits


@pytest.fixture
def mute() -> Iterator[int]:
    """A port where somebody takes the connection and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_router_that_says_nothing_costs_only_itself(mute: int) -> None:
    ports = {"mute": mute, "away": 1}
    base = Access("", "127.0.0.1", 22, "root", host_key(), password="x")
    looks = [Look(n, 1, replace(base, name=x, port=p), {1: GUIDE}) for n, (x, p) in enumerate(ports.items())]
    began = time.monotonic()
    found, when = {}, {}
    for look, said in sampling.sample(looks, sampling.limits_for(6, Limits(10, 120))):
        found[look.access.name], when[look.access.name] = said, time.monotonic() - began
    assert all("no SSH connection" in str(said) for said in found.values())
    assert when["away"] < when["mute"] < 6, "nobody waited for the one that is mute"


@pytest.mark.parametrize("seconds", [5, 30, 3600])
def test_a_look_ends_before_the_next_is_due(seconds: float) -> None:
    limits = sampling.limits_for(seconds, Limits(10, 120))
    assert limits.connect * 3 + limits.program <= seconds
    assert limits.connect <= 10
    assert limits.program <= 120


def test_the_task_asks_who_is_due(world: World) -> None:
    """The door as a worker calls it, with routers that do not answer; tests/workers has some that do."""
    applied(world)
    world.key.secret = private_key()
    world.key.save(update_fields=["secret"])
    Router.objects.update(port=1)
    tasks.sample()
    r1, r2 = Watch.objects.order_by("router__name")
    assert "no SSH connection" in r1.problem
    assert "no SSH connection" in r2.problem
    assert min(r1.due_at, r2.due_at) > timezone.now()
    tasks.sample()
    assert set(Watch.objects.values_list("fence", flat=True)) == {1}, "nobody is due yet"
    assert settings.CELERY_BEAT_SCHEDULE["sample"]["task"] == tasks.sample.name
    tasks.forget()
    assert settings.CELERY_BEAT_SCHEDULE["forget"]["task"] == tasks.forget.name
