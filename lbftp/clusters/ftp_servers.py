"""What the page of a cluster says about its FTP servers: per daemon the lines, their place, what must not be there."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from lbftp.clusters.models import Cluster
from lbftp.clusters.specs import spec_of
from lbftp.core.observe.observed import Platform
from lbftp.core.render.ftpd import TITLES, Snippet, default_route, snippets
from lbftp.core.spec import ClusterSpec, SpecError, from_json

_FAMILIES: dict[Platform, str] = {"debian": "Debian, Ubuntu", "redhat": "Red Hat, Fedora"}


@dataclass(frozen=True, slots=True)
class Lines:
    """One text, and where it goes: (family, path) each."""

    text: str
    places: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class DaemonPart:
    """One daemon: its title, its lines with the families that take the same ones together, and what to mind."""

    title: str
    lines: tuple[Lines, ...]
    place: str
    absent: tuple[str, ...]
    restart: str
    check: str


@dataclass(frozen=True, slots=True)
class FtpServers:
    """What every FTP server of a cluster needs. `applied` tells whether that is what the routers hold."""

    applied: bool
    floating: str
    route: str
    daemons: tuple[DaemonPart, ...]


def part(cluster: Cluster) -> FtpServers | None:
    """For what is applied, else for the draft; None while that is not a whole cluster yet."""
    try:
        spec = from_json(cluster.applied.spec) if cluster.applied else spec_of(cluster)
    except SpecError:
        return None
    return FtpServers(cluster.applied is not None, str(spec.floating), default_route(spec), _daemons(spec))


def _daemons(spec: ClusterSpec) -> tuple[DaemonPart, ...]:
    groups = groupby(snippets(spec), key=lambda found: found.daemon)
    return tuple(_daemon(list(found)) for _, found in groups)


def _daemon(found: list[Snippet]) -> DaemonPart:
    places: dict[str, list[tuple[str, str]]] = {}
    for one in found:
        for file in one.files:
            places.setdefault(file.text, []).append((_FAMILIES[one.platform], file.path))
    lines = tuple(Lines(text, tuple(where)) for text, where in places.items())
    check = found[0].check if len({one.check for one in found}) == 1 else ""
    place = next((one.place for one in found if one.place), "")
    return DaemonPart(TITLES[found[0].daemon], lines, place, found[0].absent, found[0].restart, check)
