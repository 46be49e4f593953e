"""What the page of a cluster says about its FTP servers: the machine, and per daemon its files and what to mind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Final

from lbftp.changes.services.servers import reachable
from lbftp.clusters.models import Cluster
from lbftp.clusters.specs import other_specs, spec_of
from lbftp.core.ftp import daemons
from lbftp.core.ftp.host_lines import Host, host
from lbftp.core.ftp.lines import snippets, unable
from lbftp.core.ftp.parts import Snippet, names_vip
from lbftp.core.lint import lint_others
from lbftp.core.observe.observed import Platform
from lbftp.core.spec import ClusterSpec, SpecError, from_json

_LEFT_OUT: Final = "some clients could not connect"
# Rules about clusters that have a real server in common: mode, range, VIP, default route.
_SHARED: Final = frozenset({"FTP200", "FTP201", "FTP202", "FTP203"})
_FAMILIES: dict[Platform, str] = {"debian": "Debian, Ubuntu", "redhat": "Red Hat, Fedora"}


@dataclass(frozen=True, slots=True)
class Lines:
    """One text, where it goes as (family, path) each, and where in those files, '' if it is the whole of them."""

    text: str
    places: tuple[tuple[str, str], ...]
    place: str


@dataclass(frozen=True, slots=True)
class DaemonPart:
    """One daemon: its lines, with the families that take the same ones together, and what to mind.

    `commands` are (family, command), family '' where all take the same.
    """

    title: str
    lines: tuple[Lines, ...]
    absent: tuple[str, ...]
    commands: tuple[tuple[str, str], ...]
    check: str
    notes: tuple[str, ...]
    cannot: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FtpServers:
    """What every FTP server of a cluster needs. `applied` tells whether that is what the routers hold.

    `mode` says in a sentence who tells clients where to connect; `breaks` why options must not be there; `unable` are
    (daemon, reason); `conflicts` are sentences about other clusters on the same servers; `reachable` are servers with
    SSH access, where keys can be set from here.
    """

    applied: bool
    mode: str
    breaks: str
    host: Host
    daemons: tuple[DaemonPart, ...]
    unable: tuple[tuple[str, str], ...]
    conflicts: tuple[str, ...]
    reachable: tuple[str, ...] = ()


def part(cluster: Cluster) -> FtpServers | None:
    """For what is applied, else for the draft; None while that is not a whole cluster yet."""
    try:
        spec = from_json(cluster.applied.spec) if cluster.applied else spec_of(cluster)
    except SpecError:
        return None
    others = other_specs(cluster.team, (r.name for r in spec.routers), but=cluster)
    mode, breaks = _words(spec)
    return FtpServers(
        cluster.applied is not None,
        mode,
        breaks,
        host(spec),
        _daemons(spec),
        tuple((daemons.title(daemon), reason) for daemon, reason in unable(spec)),
        tuple(f"{p.reason} {p.remedy}" for p in lint_others(spec, others) if p.code in _SHARED),
        tuple(reachable(cluster)),
    )


def _words(spec: ClusterSpec) -> tuple[str, str]:
    if spec.mode == "helper":
        told = "The routers' helper puts the VIP into the answer to PASV: servers name their own address, without TLS."
        return told, "passive mode breaks while the helper rewrites addresses"
    if names_vip(spec):
        told = f"Nothing is rewritten on the way: servers tell clients the VIP {spec.vip} in the answer to PASV."
        return told, _LEFT_OUT
    if spec.vip is None:
        return "Clients come over IPv6 and use EPSV, which names no address.", _LEFT_OUT
    return "Clients come to the VIP itself, so servers name it without being told.", _LEFT_OUT


def _daemons(spec: ClusterSpec) -> tuple[DaemonPart, ...]:
    groups = groupby(snippets(spec), key=lambda found: found.daemon)
    return tuple(_daemon(list(found)) for _, found in groups)


def _daemon(found: list[Snippet]) -> DaemonPart:
    files: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for one in found:
        for file in one.files:
            files.setdefault((file.text, file.place), []).append((_FAMILIES[one.platform], file.path))
    return DaemonPart(
        daemons.title(found[0].daemon),
        tuple(Lines(text, tuple(where), place) for (text, place), where in files.items()),
        found[0].absent,
        _commands(found),
        found[0].check if len({one.check for one in found}) == 1 else "",
        _all(one.notes for one in found),
        _all(one.cannot for one in found),
    )


def _commands(found: list[Snippet]) -> tuple[tuple[str, str], ...]:
    if len({one.commands for one in found}) == 1:
        return (("", " && ".join(found[0].commands)),)
    return tuple((_FAMILIES[one.platform], " && ".join(one.commands)) for one in found)


def _all(groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Each sentence once, in order."""
    return tuple(dict.fromkeys(chain.from_iterable(groups)))
