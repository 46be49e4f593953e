"""Hints to open pages that something changed. The only builder of socket payloads.

A hint carries no content: whoever gets one reads the database under the access rule. A lost hint costs a moment, never
an event, so a Redis that is away is noted and nothing else.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

# Seconds for one hint: redis-py's own retries would hold a worker up for longer when the server is away.
PATIENCE: Final = 2.0


def run_group(run_id: int) -> str:
    return f"run.{run_id}"


def fleet_group(team_id: int) -> str:
    return f"fleet.{team_id}"


def person_group(user_id: int) -> str:
    return f"person.{user_id}"


def run_payload(run_id: int, seq: int) -> dict[str, int]:
    """What a browser gets about a run: its last event's number."""
    return {"run": run_id, "seq": seq}


def fleet_payload(team_id: int) -> dict[str, int]:
    """What a dashboard gets: something of this team changed."""
    return {"fleet": team_id}


def run_hint(run_id: int, seq: int) -> None:
    """Tells the watchers of a run that events up to `seq` are there. To be called after commit."""
    _send(run_group(run_id), run_payload(run_id, seq))


def fleet_hint(team_id: int) -> None:
    """Tells a team's dashboards to look again. To be called after commit."""
    _send(fleet_group(team_id), fleet_payload(team_id))


def person_hint(user_id: int) -> None:
    """Has the person's open sockets look at once whether they may go on. To be called after commit."""
    _deliver(person_group(user_id), {"type": "look.now"})


def _send(group: str, payload: dict[str, int]) -> None:
    _deliver(group, {"type": "hint", "payload": payload})


def _deliver(group: str, message: dict[str, Any]) -> None:
    try:
        async_to_sync(_send_soon)(group, message)
    except (OSError, RedisError, TimeoutError) as error:
        log.warning("hint_lost", group=group, error=type(error).__name__)


async def _send_soon(group: str, message: dict[str, Any]) -> None:
    layer = get_channel_layer()
    await asyncio.wait_for(layer.group_send(group, message), PATIENCE)
