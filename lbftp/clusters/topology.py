"""The picture of a cluster: clients, VIP, the pair, the floating address, real servers. Geometry only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Node:
    """A box with up to three lines. `badge`: MASTER or BACKUP; `state`: ok, bad, warn, idle or '' for no dot."""

    x: float
    y: float
    w: float
    h: float
    name: str
    lines: tuple[str, ...] = ()
    css: str = ""
    badge: str = ""
    state: str = ""
    word: str = ""

    @property
    def left(self) -> float:
        return self.x + 12

    @property
    def name_y(self) -> float:
        return self.y + 23

    @property
    def texts(self) -> list[tuple[float, str]]:
        """The lines under the name with their baselines."""
        return [(self.y + 39 + 16 * n, line) for n, line in enumerate(self.lines)]

    @property
    def badge_at(self) -> tuple[float, float]:
        """Where the badge's box begins; it is 58 wide and 17 high."""
        return self.right - 58 - 9, self.y + 10

    @property
    def dot_at(self) -> tuple[float, float]:
        return self.right - 16, self.y + 18

    @property
    def right(self) -> float:
        return self.x + self.w

    @property
    def middle(self) -> float:
        return self.y + self.h / 2

    @property
    def center(self) -> float:
        return self.x + self.w / 2


@dataclass(frozen=True, slots=True)
class Edge:
    path: str
    css: str = ""


@dataclass(slots=True)
class Picture:
    width: float
    height: float
    zones: list[tuple[float, float, float, float, str]] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Member:
    """A router or a real server as it is drawn."""

    name: str
    lines: tuple[str, ...]
    state: str = ""
    word: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """What is to be seen. `master` is the router that was last seen holding the VIP, '' if nobody knows."""

    vip: str
    floating: str
    network: str
    ports: str
    routers: Sequence[Member]
    servers: Sequence[Member]
    master: str = ""


_HEIGHT: Final = 66


def wide(scene: Scene) -> Picture:
    """Left to right, for wide screens."""
    rows = max(len(scene.routers), len(scene.servers), 2)
    height = 56 + rows * (_HEIGHT + 18)
    middle = (height + 26) / 2
    picture = Picture(1080, height, [(0, 0, 470, height, "PUBLIC"), (482, 0, 598, height, f"INTERNAL {scene.network}")])
    clients = Node(20, middle - 27, 104, 54, "Clients", ("FTP",))
    vip = Node(176, middle - _HEIGHT / 2, 156, _HEIGHT, "VIP", (scene.vip, scene.ports), "vip")
    floating = Node(656, middle - 27, 148, 54, "Floating", (scene.floating,), "vip")
    routers = _column(scene, 384, 208, middle, scene.routers)
    servers = _column(scene, 862, 200, middle, scene.servers)
    picture.nodes = [clients, vip, *routers, floating, *servers]
    picture.edges = [Edge(_across(clients, vip), "live")]
    for router in routers:
        css = _edge(scene, router.name)
        picture.edges += [Edge(_across(vip, router), css), Edge(_across(router, floating), css)]
    picture.edges += [Edge(_across(floating, server), _to_server(server)) for server in servers]
    return picture


def tall(scene: Scene) -> Picture:
    """Top to bottom, for narrow screens; machines stand in pairs."""
    rows = (len(scene.servers) + 1) // 2
    height = 430 + rows * (_HEIGHT + 14)
    picture = Picture(
        360, height, [(0, 0, 360, 232, "PUBLIC"), (0, 242, 360, height - 242, f"INTERNAL {scene.network}")]
    )
    clients = Node(128, 30, 104, 46, "Clients")
    vip = Node(95, 106, 170, _HEIGHT, "VIP", (scene.vip, scene.ports), "vip")
    floating = Node(106, 330, 148, 54, "Floating", (scene.floating,), "vip")
    routers = [_member(scene, m, 8 + 174 * (n % 2), 204, 170) for n, m in enumerate(scene.routers)]
    servers = [
        _member(scene, m, 8 + 174 * (n % 2), 424 + (n // 2) * (_HEIGHT + 14), 170) for n, m in enumerate(scene.servers)
    ]
    picture.nodes = [clients, vip, *routers, floating, *servers]
    picture.edges = [Edge(_down(clients, vip), "live")]
    for router in routers:
        css = _edge(scene, router.name)
        picture.edges += [Edge(_down(vip, router), css), Edge(_down(router, floating), css)]
    picture.edges += [Edge(_down(floating, server), _to_server(server)) for server in servers]
    return picture


def server_states(names: Sequence[str], proven: Mapping[str, bool]) -> dict[str, tuple[str, str]]:
    """State and word for each real server, from what sessions last showed."""
    words = {True: ("ok", "proven"), False: ("bad", "failed")}
    return {name: words[proven[name]] if name in proven else ("idle", "not proven") for name in names}


def _column(scene: Scene, x: float, w: float, middle: float, members: Sequence[Member]) -> list[Node]:
    top = middle - (len(members) * (_HEIGHT + 18) - 18) / 2
    return [_member(scene, m, x, top + n * (_HEIGHT + 18), w) for n, m in enumerate(members)]


def _member(scene: Scene, member: Member, x: float, y: float, w: float) -> Node:
    badge = ""
    if member in scene.routers and scene.master:
        badge = "MASTER" if member.name == scene.master else "BACKUP"
    css = {"MASTER": "n-master", "BACKUP": "n-backup"}.get(badge, "")
    return Node(x, y, w, _HEIGHT, member.name, member.lines, css, badge, member.state, member.word)


def _edge(scene: Scene, router: str) -> str:
    if not scene.master:
        return ""
    return "live" if router == scene.master else "spare"


def _to_server(server: Node) -> str:
    return "live" if server.state == "ok" else ("spare" if server.state == "bad" else "")


def _across(a: Node, b: Node) -> str:
    width, rise = b.x - a.right, b.middle - a.middle
    return f"M{a.right:g} {a.middle:g}c{width / 2:g} 0 {width / 2:g} {rise:g} {width:g} {rise:g}"


def _down(a: Node, b: Node) -> str:
    bottom = a.y + a.h
    height, shift = b.y - bottom, b.center - a.center
    return f"M{a.center:g} {bottom:g}c0 {height / 2:g} {shift:g} {height / 2:g} {shift:g} {height:g}"
