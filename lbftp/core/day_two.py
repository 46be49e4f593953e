"""Small changes of a working cluster: a real server drained, taken out, brought back, weighed; the sorry server set.

Such an action is what differs between two specs, and nothing else differs: `between` tells. So it is decided from
revisions whether a change is one, not from what anybody says of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lbftp.core.spec import ClusterSpec, RealServerSpec, SorryServer, SpecError

DRAIN: Final = "drain"
DISABLE: Final = "disable"
ENABLE: Final = "enable"
WEIGHT: Final = "weight"
SORRY: Final = "sorry"


@dataclass(frozen=True, slots=True)
class ServerSet:
    """One real server gets this weight, or goes out of rotation."""

    server: str
    weight: int
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class SorrySet:
    """The cluster gets this sorry server; one without addresses is none."""

    sorry: SorryServer


Action = ServerSet | SorrySet


def between(before: ClusterSpec, after: ClusterSpec) -> Action | None:
    """The one action that leads from `before` to `after`; None if nothing differs, or more than that."""
    if before == after:
        return None
    if dataclasses.replace(before, sorry_server=after.sorry_server) == after:
        return SorrySet(after.sorry_server)
    for was, now in zip(before.real_servers, after.real_servers, strict=False):
        action = ServerSet(now.name, now.weight, now.disabled)
        if was != now:
            return action if was.name == now.name and carried(before, action) == after else None
    return None


def carried(spec: ClusterSpec, action: Action) -> ClusterSpec:
    """`spec` with the action done. Raises SpecError for a server that it does not have, or a weight beyond bounds."""
    if isinstance(action, SorrySet):
        return dataclasses.replace(spec, sorry_server=action.sorry)
    server_of(spec, action.server)
    return dataclasses.replace(spec, real_servers=tuple(_weighed(s, action) for s in spec.real_servers))


def _weighed(server: RealServerSpec, action: ServerSet) -> RealServerSpec:
    if server.name != action.server:
        return server
    return dataclasses.replace(server, weight=action.weight, disabled=action.disabled)


def server_of(spec: ClusterSpec, name: str) -> RealServerSpec:
    """The real server called `name`. Raises SpecError naming those there are."""
    for server in spec.real_servers:
        if server.name == name:
            return server
    there = ", ".join(s.name for s in spec.real_servers) or "none"
    raise SpecError("server", f"{name[:40]!r} is no real server of {spec.name} (there: {there})")


def opposite(before: ClusterSpec, action: Action) -> Action:
    """What undoes `action` where `before` was the state before it."""
    if isinstance(action, SorrySet):
        return SorrySet(before.sorry_server)
    server = server_of(before, action.server)
    return ServerSet(server.name, server.weight, server.disabled)


def in_force(spec: ClusterSpec, action: Action) -> bool:
    """Whether the spec has what the action does already."""
    return carried(spec, action) == spec


def lacking(before: ClusterSpec, after: ClusterSpec) -> str:
    """Why `after` would leave the cluster without service where `before` had one, as a sentence; '' if it would not.

    Below the quorum keepalived takes the remaining servers out for the sorry server, and cuts their sessions off
    (check/ipwrapper.c: update_quorum_state).
    """
    for side in after.sides:
        was, now = (sum(s.weight for s in spec.in_service(side.family)) for spec in (before, after))
        if now < after.quorum <= was:
            return (
                f"The weights of the others make {now}, and the quorum is {after.quorum}: nobody would get new clients "
                f"over IPv{side.family}. Bring another real server back first, or edit the draft and propose it."
            )
    return ""


def verb(before: ClusterSpec, action: Action) -> str:
    """What the action is, seen from `before`: drain, disable, enable, weight or sorry."""
    if isinstance(action, SorrySet):
        return SORRY
    if action.disabled:
        return DISABLE
    server = server_of(before, action.server)
    if action.weight == 0:
        return DRAIN
    return ENABLE if server.weight == 0 else WEIGHT


def words(before: ClusterSpec, action: Action) -> str:
    """The action as a title: 'Drain ftp1'."""
    if isinstance(action, SorrySet):
        given = " and ".join(str(a) for a in (action.sorry.address, action.sorry.address6) if a is not None)
        return f"Set the sorry server to {given}" if given else "Turn the sorry server off"
    name, was = action.server, server_of(before, action.server)
    return {
        DRAIN: f"Put {name} back to draining" if was.disabled else f"Drain {name}",
        DISABLE: f"Take {name} out of rotation",
        ENABLE: f"Bring {name} back with weight {action.weight}",
        WEIGHT: f"Give {name} weight {action.weight} instead of {was.weight}",
    }[verb(before, action)]


def on_draft(draft: Mapping[str, Any], action: Action) -> dict[str, Any]:
    """A complete draft with the same one thing changed; a server that it no longer has is left alone."""
    if isinstance(action, SorrySet):
        sorry = {"address": action.sorry.address, "address6": action.sorry.address6}
        return {**draft, "sorry_server": {name: str(a) if a is not None else "" for name, a in sorry.items()}}
    mine = {"weight": action.weight, "disabled": action.disabled}
    servers = [{**s, **mine} if s.get("name") == action.server else s for s in draft["real_servers"]]
    return {**draft, "real_servers": servers}
