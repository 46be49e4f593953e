"""The sockets against a real Redis, through the whole ASGI stack: origin check, session, access rule."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import channel_layers
from django.conf import settings
from django.contrib.auth.models import User
from django.db import OperationalError, connections
from django.test import Client
from django.utils import timezone

from lbftp.accounts import services
from lbftp.accounts.models import Membership, SignIn
from lbftp.accounts.services.passwords import change_password
from lbftp.asgi import application
from lbftp.changes.models import Run
from lbftp.changes.services import runs
from lbftp.core.job import Event, Job
from lbftp.live import publish
from lbftp.live.consumers import HintConsumer, RunConsumer
from tests.conftest import start_redis
from tests.sockets import WAIT, Socket
from tests.worlds import World, claimed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def running(world: World) -> Job:
    """A claimed run of the team with two events."""
    job = claimed(runs.start(kind=Run.Kind.FACTS, team=world.team, host=world.r1))
    runs.record(run_id=job.run_id, fence=job.fence, events=[Event("note"), Event("note")])
    return job


def socket(path: str, user: User | None, origin: str = "http://localhost:8000") -> Socket:
    client = Client()
    if user is not None:
        client.force_login(user)
    cookies = "; ".join(f"{name}={c.value}" for name, c in client.cookies.items())
    headers = [(b"host", b"localhost:8000"), (b"origin", origin.encode()), (b"cookie", cookies.encode())]
    return Socket(application, path, headers)


@asynccontextmanager
async def connected(path: str, user: User) -> AsyncIterator[Socket]:
    communicator = await sync_to_async(socket)(path, user)
    assert await communicator.connect()
    yield communicator
    await communicator.disconnect()


async def refused(path: str, user: User | None, **more: Any) -> bool:
    communicator = await sync_to_async(socket)(path, user, **more)
    return not await communicator.connect()


async def hear(communicator: Socket, *wanted: dict[str, int]) -> None:
    """Listens until every wanted message came; what comes besides says nothing wrong, it is a hint only."""
    missing = list(wanted)
    async with asyncio.timeout(WAIT):
        while missing:
            message = await communicator.hear()
            missing = [w for w in missing if w != message]


def in_another_thread(act: Callable[[], object]) -> None:
    """As a worker process does it: no event loop of its own."""

    def run() -> None:
        act()
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)


async def test_a_watcher_hears_the_present_and_each_new_number(world: World, running: Job) -> None:
    async with connected(f"/ws/runs/{running.run_id}/", world.victor) as page:
        assert await page.hear() == {"run": running.run_id, "seq": 2}

        def work() -> None:
            runs.record(run_id=running.run_id, fence=running.fence, events=[Event("note")] * 3)

        await asyncio.to_thread(in_another_thread, work)
        await hear(page, {"run": running.run_id, "seq": 5})


async def test_the_end_is_heard(world: World, running: Job) -> None:
    async with connected(f"/ws/runs/{running.run_id}/", world.bob) as page:
        await page.hear()

        def end() -> None:
            runs.finish(run_id=running.run_id, fence=running.fence, state="succeeded", outcome="", result={})

        await asyncio.to_thread(in_another_thread, end)
        await hear(page, {"run": running.run_id, "seq": 3})


async def test_an_order_to_the_run_is_heard(world: World, running: Job) -> None:
    async with connected(f"/ws/runs/{running.run_id}/", world.victor) as page:
        await page.hear()

        def order() -> None:
            runs.cancel(user=world.bob, run=Run.objects.get(pk=running.run_id))

        await asyncio.to_thread(in_another_thread, order)
        await hear(page, {"run": running.run_id, "seq": 3})


async def test_a_page_that_reconnects_is_told_where_the_run_is(world: World, running: Job) -> None:
    path = f"/ws/runs/{running.run_id}/"
    async with connected(path, world.victor) as page:
        assert await page.hear() == {"run": running.run_id, "seq": 2}
    await sync_to_async(runs.record)(run_id=running.run_id, fence=running.fence, events=[Event("note")] * 4)
    async with connected(path, world.victor) as page:
        assert await page.hear() == {"run": running.run_id, "seq": 6}


async def test_strangers_and_the_anonymous_are_refused(world: World, running: Job) -> None:
    path = f"/ws/runs/{running.run_id}/"
    assert await refused(path, world.mallory)
    assert await refused(path, world.root)
    assert await refused(path, None)
    assert await refused("/ws/runs/999999/", world.alice)
    assert await refused("/ws/fleet/", None)


async def test_other_sites_are_refused(world: World, running: Job) -> None:
    assert await refused(f"/ws/runs/{running.run_id}/", world.alice, origin="http://evil.example")


async def test_the_fleet_hears_of_its_own_team_only(world: World) -> None:
    async with (
        connected("/ws/fleet/", world.victor) as ours,
        connected("/ws/fleet/", world.mallory) as theirs,
    ):
        assert await ours.hear() == {"fleet": world.team.pk}
        assert await theirs.hear() == {"fleet": world.other_team.pk}

        def begin() -> None:
            runs.start(kind=Run.Kind.FACTS, team=world.team, host=world.r1)

        await asyncio.to_thread(in_another_thread, begin)
        await hear(ours, {"fleet": world.team.pk})
        assert await theirs.is_silent(0.5)


async def test_what_clients_say_is_not_listened_to(world: World, running: Job) -> None:
    async with connected(f"/ws/runs/{running.run_id}/", world.victor) as page:
        await page.hear()
        await page.say(text='{"type": "hint", "payload": {"run": 1}}')
        await page.say(text="not json")
        await page.say(bytes=b"\x00")
        assert await page.is_silent(0.3)


async def test_leaving_the_team_closes_the_socket(world: World, running: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HintConsumer, "again_every", 0.1)
    communicator = await sync_to_async(socket)(f"/ws/runs/{running.run_id}/", world.bob)
    await communicator.connect()
    await sync_to_async(Membership.objects.filter(user=world.bob).delete)()
    async with asyncio.timeout(WAIT):
        assert await communicator.closed() == 4404
    await communicator.disconnect()


End = Callable[[World, str], object]


def signs_out(_world: World, session_key: str) -> None:
    client = Client()
    client.cookies["sessionid"] = session_key
    client.post("/sign-out/")


def is_locked(world: World, _key: str) -> None:
    services.lock(user=world.alice, membership=Membership.objects.get(user=world.bob))


def is_taken_out(world: World, _key: str) -> None:
    services.set_role(user=world.alice, membership=Membership.objects.get(user=world.bob), role=None)


def changes_password(world: World, _key: str) -> None:
    chosen = {"present": "a long enough one", "password": "another long one"}
    change_password(user=world.bob, address="192.0.2.1", **chosen)


def is_idle(world: World, _key: str) -> None:
    SignIn.objects.filter(user=world.bob).update(active_at=timezone.now() - timedelta(hours=1))


def is_too_old(world: World, _key: str) -> None:
    SignIn.objects.filter(user=world.bob).update(started_at=timezone.now() - timedelta(hours=13))


@pytest.mark.parametrize("end", [signs_out, is_locked, is_taken_out, changes_password, is_idle, is_too_old])
@pytest.mark.parametrize("path", ["/ws/fleet/", "/ws/runs/{}/"])
async def test_the_end_of_a_session_closes_its_sockets(world: World, running: Job, end: End, path: str) -> None:
    """With the time between two looks as it is: within ten seconds, also without a hint."""
    communicator = await sync_to_async(socket)(path.format(running.run_id), world.bob)
    assert await communicator.connect()
    key = await sync_to_async(lambda: SignIn.objects.get(user=world.bob, ended_at=None).session_key)()
    async with connected("/ws/fleet/", world.carol) as other:
        await sync_to_async(end)(world, key)
        async with asyncio.timeout(10):
            assert await communicator.closed(10) == 4401
        await communicator.disconnect()
        await hear(other, {"fleet": world.team.pk})


async def test_a_hint_closes_them_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without waiting for the next look of their own."""
    monkeypatch.setattr(HintConsumer, "again_every", 3600)
    communicator = await sync_to_async(socket)("/ws/fleet/", world.bob)
    assert await communicator.connect()
    assert await communicator.hear() == {"fleet": world.team.pk}
    await asyncio.to_thread(in_another_thread, lambda: is_locked(world, ""))
    async with asyncio.timeout(WAIT):
        assert await communicator.closed() == 4401
    await communicator.disconnect()


async def test_a_page_is_not_called_live_while_the_database_does_not_answer(
    world: World, running: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HintConsumer, "again_every", 0.1)
    communicator = await sync_to_async(socket)(f"/ws/runs/{running.run_id}/", world.bob)
    await communicator.connect()
    with monkeypatch.context() as away:
        away.setattr(RunConsumer, "look", without_database)
        async with asyncio.timeout(WAIT):
            assert await communicator.closed() == 1013
        await communicator.disconnect()
        assert await refused(f"/ws/runs/{running.run_id}/", world.bob)
    async with connected(f"/ws/runs/{running.run_id}/", world.bob) as page:
        assert await page.hear() == {"run": running.run_id, "seq": 2}


def without_database(_consumer: object) -> None:
    raise OperationalError("connection refused")


@pytest.fixture
def mortal_redis(redis_socket: Path) -> Iterator[Callable[[], None]]:
    """The channel layer on a second Redis; calling the fixture kills that one and starts it again, empty."""
    folder = Path(tempfile.mkdtemp(prefix="lb", dir="/tmp"))
    processes: list[subprocess.Popen[bytes]] = [start_redis(folder / "r.sock")]
    kept = settings.CHANNEL_LAYERS
    layer = {**kept["default"], "CONFIG": {"hosts": [f"unix://{folder / 'r.sock'}"]}}
    settings.CHANNEL_LAYERS = {"default": layer}
    channel_layers.backends = {}

    def restart() -> None:
        processes[-1].kill()
        processes[-1].wait(10)
        processes.append(start_redis(folder / "r.sock"))

    yield restart
    settings.CHANNEL_LAYERS = kept
    channel_layers.backends = {}
    processes[-1].kill()
    processes[-1].wait(10)
    shutil.rmtree(folder)


async def test_a_watcher_outlives_a_restart_of_redis(
    world: World, running: Job, mortal_redis: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HintConsumer, "again_every", 0.2)
    async with connected(f"/ws/runs/{running.run_id}/", world.victor) as page:
        await page.hear()
        await asyncio.to_thread(mortal_redis)
        await sync_to_async(runs.record)(run_id=running.run_id, fence=running.fence, events=[Event("note")])
        await hear(page, {"run": running.run_id, "seq": 3})


@pytest.mark.parametrize("where", ["unix:///nonexistent/redis.sock?db=2", "redis://127.0.0.1:1/0"])
def test_without_redis_the_work_goes_on(
    world: World, running: Job, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    layer = {**settings.CHANNEL_LAYERS["default"], "CONFIG": {"hosts": [where]}}
    monkeypatch.setattr(settings, "CHANNEL_LAYERS", {"default": layer})
    monkeypatch.setattr(channel_layers, "backends", {})
    assert runs.record(run_id=running.run_id, fence=running.fence, events=[Event("note")]) == 3
    publish.fleet_hint(world.team.pk)
