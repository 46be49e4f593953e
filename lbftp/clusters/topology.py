"""The picture of a cluster: clients, VIP, the pair, the floating address, real servers. Geometry only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    """What is to be seen. `master` is the router that was last seen holding the VIP, '' if nobody knows.

    `vips` and `floating` are addresses, IPv4 first; without `floating` (direct routing, tunnelling) answers go straight
    to the clients. `shared` names the clusters that move with this one, `speaks` what clients may use.
    """

    vips: Sequence[str]
    floating: Sequence[str]
    network: str
    ports: str
    routers: Sequence[Member]
    servers: Sequence[Member]
    master: str = ""
    shared: str = ""
    speaks: str = "FTP"
    behind: str = "INTERNAL"

    @property
    def zone(self) -> str:
        return f"{self.behind} {self.network}".strip()


Draw = Callable[[Node, Node], str]

_HEIGHT: Final = 66
_ROOM: Final = 20  # characters of an address that a box has room for


def wide(scene: Scene) -> Picture:
    """Left to right, for wide screens."""
    rows = max(len(scene.routers), len(scene.servers), 2)
    height = 56 + max(rows * (_HEIGHT + 18), _tall(_vip_lines(scene)))
    middle = (height + 26) / 2
    picture = Picture(1080, height, [(0, 0, 470, height, "PUBLIC"), (482, 0, 598, height, scene.zone)])
    clients = Node(20, middle - 27, 104, 54, "Clients", (scene.speaks,))
    vip = _box(176, middle, 156, "VIP", _vip_lines(scene))
    routers = _column(scene, 384, 208, middle, scene.routers)
    servers = _column(scene, 862, 200, middle, scene.servers)
    floating = [_box(656, middle, 156, "Floating", lines)] if (lines := _floating_lines(scene)) else []
    boxes = _Boxes(vip, routers, floating, servers)
    picture.nodes = [clients, *boxes.all]
    picture.edges = [Edge(_across(clients, vip), "live"), *_ways(scene, boxes, _across)]
    if not scene.floating:
        picture.edges += [Edge(_back(server, clients, height - 8), "answer") for server in servers[-1:]]
    return picture


def tall(scene: Scene) -> Picture:
    """Top to bottom, for narrow screens; machines stand in pairs."""
    rows = (len(scene.servers) + 1) // 2
    top = 106 + _tall(_vip_lines(scene)) + 32
    inner = 330 + top - 204
    lower = inner + (max(_tall(_floating_lines(scene)), 54) + 40 if scene.floating else 0)
    height = lower + rows * (_HEIGHT + 14) + 6
    inside = (0, top + 38, 360, height - top - 38, "")
    # The routers stand where the zone begins; its name goes under them.
    caption = (0, top + _HEIGHT, 360, 0, scene.zone)
    picture = Picture(360, height, [(0, 0, 360, top + 28, "PUBLIC"), inside, caption])
    clients = Node(128, 30, 104, 46, "Clients")
    vip = Node(95, 106, 170, _tall(_vip_lines(scene)), "VIP", _vip_lines(scene), "vip")
    routers = [_member(scene, m, 8 + 174 * (n % 2), top, 170) for n, m in enumerate(scene.routers)]
    servers = [
        _member(scene, m, 8 + 174 * (n % 2), lower + (n // 2) * (_HEIGHT + 14), 170)
        for n, m in enumerate(scene.servers)
    ]
    lines = _floating_lines(scene)
    floating = [Node(95, inner, 170, max(_tall(lines), 54), "Floating", lines, "vip")] if lines else []
    boxes = _Boxes(vip, routers, floating, servers)
    picture.nodes = [clients, *boxes.all]
    picture.edges = [Edge(_down(clients, vip), "live"), *_ways(scene, boxes, _down)]
    return picture


@dataclass(frozen=True, slots=True)
class _Boxes:
    vip: Node
    routers: list[Node]
    floating: list[Node]
    servers: list[Node]

    @property
    def all(self) -> list[Node]:
        return [self.vip, *self.routers, *self.floating, *self.servers]


def _ways(scene: Scene, boxes: _Boxes, draw: Draw) -> list[Edge]:
    """From the VIP through each router to the real servers, over the internal floating address where there is one."""
    edges = [Edge(draw(boxes.vip, router), _edge(scene, router.name)) for router in boxes.routers]
    for router in boxes.routers:
        edges += [Edge(draw(router, box), _edge(scene, router.name)) for box in boxes.floating]
    # Without a floating address each router sends to each server itself; a spare one to none.
    live = [router for router in boxes.routers if _edge(scene, router.name) != "spare"]
    senders = boxes.floating or live
    return edges + [Edge(draw(sender, s), _to_server(s)) for sender in senders for s in boxes.servers]


def _vip_lines(scene: Scene) -> tuple[str, ...]:
    return (*(line for vip in scene.vips for line in _split(vip)), *_split(scene.ports, ", "))


def _floating_lines(scene: Scene) -> tuple[str, ...]:
    if not scene.floating:
        return ()
    shared = (f"with {scene.shared}"[:_ROOM],) if scene.shared else ()
    return (*(line for address in scene.floating for line in _split(address)), *shared)


def _split(text: str, after: str = ":") -> tuple[str, ...]:
    """A long IPv6 address or list in two lines, parted after a colon or comma."""
    at = text.rfind(after, 0, _ROOM) + len(after)
    return (text[:at].strip(), text[at:]) if len(text) > _ROOM and at >= len(after) else (text,)


def _tall(lines: Sequence[str]) -> float:
    """How high a box with these lines is."""
    return max(_HEIGHT, 34 + 16 * len(lines))


def _box(x: float, middle: float, w: float, name: str, lines: tuple[str, ...]) -> Node:
    height = _tall(lines) if len(lines) > 1 else 54
    return Node(x, middle - height / 2, w, height, name, lines, "vip")


def _back(server: Node, clients: Node, depth: float) -> str:
    """The way of answers that do not pass the routers: under everything, from a server's side to the clients."""
    right = server.right + 8
    return f"M{server.right:g} {server.middle:g}H{right:g}V{depth:g}H{clients.center:g}V{clients.y + clients.h:g}"


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
