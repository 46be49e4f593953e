"""Sockets that only whisper "look again". Same access rule as the pages; nothing a client says is listened to."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.contrib.auth.models import AbstractBaseUser
from redis.exceptions import RedisError

from lbftp.accounts import access
from lbftp.accounts.models import Team
from lbftp.accounts.services import sessions
from lbftp.changes.models import Run
from lbftp.database import AWAY
from lbftp.live import publish

log = structlog.get_logger(__name__)

# Groups to be in, and what to say now.
Look = tuple[frozenset[str], list[dict[str, int]]]
NOT_YOURS: Final = 4404
# The session ended: signed out, locked, idle for too long, another password. The page says so.
SIGNED_OUT: Final = 4401
# Seconds for Redis to answer one socket.
REDIS_PATIENCE: Final = 5.0
# RFC 6455's registry of close codes: try again later.
LATER: Final = 1013


class HintConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    """Joins groups and passes hints on.

    Every `again_every` seconds it looks by itself: at the access rule, so that somebody who left the team stops
    hearing, and at the database, so that a hint that Redis lost costs a moment only. While the database does not answer
    nobody is connected: the page then says that it is not live, and tries again.
    """

    again_every = 5.0
    user: AbstractBaseUser
    _again: asyncio.Task[None] | None = None
    _joined: frozenset[str] = frozenset()

    async def connect(self) -> None:
        look = await self._ask()
        if look is None:
            return
        await self.accept()
        await self._join(look[0])
        # Looked at again after joining: what happened between the two would be missed otherwise.
        await self._whisper()
        self._again = asyncio.create_task(self._look_again())

    async def disconnect(self, code: int) -> None:  # noqa: ARG002
        if self._again:
            self._again.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._again
        for group in self._joined:
            with contextlib.suppress(OSError, RedisError):
                async with asyncio.timeout(REDIS_PATIENCE):
                    await self.channel_layer.group_discard(group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        """Whatever a client sends is ignored: there is nothing to ask for."""

    async def look_now(self, message: dict[str, Any]) -> None:  # noqa: ARG002
        """Something about the person's sessions changed."""
        with contextlib.suppress(OSError, RedisError):
            await self._whisper()

    async def hint(self, message: dict[str, Any]) -> None:
        await self.send_json(message["payload"])

    def look(self) -> Look | None:
        """None if `self.user` may not watch."""
        raise NotImplementedError

    def _looked(self) -> Look | int:
        """What there is to tell, or the code to close with. The account is taken as it is now: the one in the scope
        is as old as the connection, and the session may have ended since."""
        session = sessions.going_on(self.scope["session"].session_key)
        if session is None:
            return SIGNED_OUT
        self.user = session.user
        found = self.look()
        if found is None:
            return NOT_YOURS
        return found[0] | {publish.person_group(session.user_id)}, found[1]

    async def _ask(self) -> Look | None:
        """Closes if there is nothing to be told."""
        look: Look | int = LATER
        try:
            look = await database_sync_to_async(self._looked)()
        except AWAY as error:
            log.warning("socket_without_database", error=type(error).__name__)
        if isinstance(look, int):
            await self.close(code=look)
            return None
        return look

    async def _join(self, groups: frozenset[str]) -> None:
        """TimeoutError, an OSError, if Redis takes the request and does not answer: the page then tries again."""
        async with asyncio.timeout(REDIS_PATIENCE):
            for group in groups - self._joined:
                await self.channel_layer.group_add(group, self.channel_name)
            for group in self._joined - groups:
                await self.channel_layer.group_discard(group, self.channel_name)
        self._joined = groups

    async def _whisper(self) -> bool:
        look = await self._ask()
        if look is None:
            return False
        for payload in look[1]:
            await self.send_json(payload)
        await self._join(look[0])
        return True

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(self.again_every)
            try:
                if not await self._whisper():
                    return
            except (OSError, RedisError) as error:
                log.warning("socket_without_redis", error=type(error).__name__)


class RunConsumer(HintConsumer):
    """/ws/runs/<id>/ — {"run", "seq"}; the first message tells the present last sequence number."""

    def look(self) -> Look | None:
        run_id = int(self.scope["url_route"]["kwargs"]["run_id"])
        run = access.visible(self.user, Run).filter(pk=run_id).first()
        if run is None:
            return None
        last = run.events.order_by("-seq").values_list("seq", flat=True).first() or 0
        return frozenset({publish.run_group(run_id)}), [publish.run_payload(run_id, last)]


class FleetConsumer(HintConsumer):
    """/ws/fleet/ — {"fleet": team} for each of the user's teams, now and whenever something changes there."""

    def look(self) -> Look | None:
        teams = list(access.visible(self.user, Team).values_list("pk", flat=True))
        return frozenset(map(publish.fleet_group, teams)), [publish.fleet_payload(team) for team in teams]
