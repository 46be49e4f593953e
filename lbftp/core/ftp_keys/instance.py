"""One running FTP daemon: the files in which keys have to be others, or why they cannot be set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lbftp.core.findings import Finding
from lbftp.core.ftp.daemon import Asked
from lbftp.core.ftp.daemon_findings import daemon_findings
from lbftp.core.ftp.daemons import named
from lbftp.core.ftp.editing import Edit, Unsettable, Wanted
from lbftp.core.ftp.files import servers
from lbftp.core.ftp.host import FtpHost, Instance
from lbftp.core.ftp.server import FtpServer
from lbftp.core.observe.errors import ObserveError
from lbftp.core.spec import ClusterSpec


@dataclass(frozen=True, slots=True)
class InstanceKeys:
    """What is set for one daemon because of `findings`. `candidate` is the text that the daemon is asked about: for
    ProFTPD with everything included, '' where the edited files are it. `reload`: it need not be restarted."""

    instance: Instance
    findings: tuple[Finding, ...]
    edits: tuple[Edit, ...]
    reload: bool
    candidate: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Unset:
    """Why the keys of one daemon cannot be set from here, and the lines that somebody else has to set."""

    instance: Instance
    findings: tuple[Finding, ...]
    reason: str
    lines: tuple[str, ...]


def instance_keys(spec: ClusterSpec, host: FtpHost, one: Instance) -> InstanceKeys | Unset | None:
    """None if nothing of it is to be set."""
    found = corrected(spec, host.name, one)
    if not found:
        return None
    lines: list[str] = []
    try:
        return _keys(spec, host, one, lines)
    except (Unsettable, ObserveError) as error:
        return Unset(one, tuple(found), str(error), tuple(lines))


def corrected(spec: ClusterSpec, server: str, one: Instance) -> list[Finding]:
    """What is found in this daemon's settings and can be put right."""
    return [finding for part in one.servers for finding in _of(spec, server, part)]


def _of(spec: ClusterSpec, server: str, part: FtpServer) -> list[Finding]:
    return [f for f in daemon_findings(spec, server, (part,)) if f.code in named(part.daemon).settings.codes]


def _keys(spec: ClusterSpec, host: FtpHost, one: Instance, lines: list[str]) -> InstanceKeys:
    settings = named(one.daemon).settings
    files, may_reload = dict(host.files), one.unit in host.reloadable
    for number, part in enumerate(one.servers):
        codes = frozenset(f.code for f in _of(spec, host.name, part))
        if codes:
            asked = Asked(spec, one.config, files, number, part, codes)
            need = _wanted(asked, lines)
            files |= settings.edited(asked, need)
            may_reload = may_reload and settings.reloadable(need)
    if not one.unit:
        raise Unsettable("no unit of systemd's started it, so nobody can tell how to restart it")
    _refuse_surprises(spec, host, one, files)
    edits = tuple(Edit(p, host.files.get(p), t) for p, t in sorted(files.items()) if t != host.files.get(p))
    candidate = settings.whole(one.config, files)
    return InstanceKeys(one, tuple(corrected(spec, host.name, one)), edits, may_reload, candidate)


def _wanted(asked: Asked, lines: list[str]) -> Wanted:
    """The options that change for one of the daemon's servers; the lines that it comes to are added to those told to
    people, which they are also if the options turn out to be unsettable."""
    settings = named(asked.server.daemon).settings
    need = settings.wanted(asked)
    if not need:
        raise Unsettable("where its value comes from cannot be told")
    lines += settings.spelled(asked, need)
    return need


def _refuse_surprises(spec: ClusterSpec, host: FtpHost, one: Instance, files: Mapping[str, str]) -> None:
    """What the files come to with the new lines: everything in question is gone, nothing new is found, and servers that
    are not the cluster's business are as before. Raises Unsettable."""
    after = servers(one.daemon, one.config, files)
    if len(after) != len(one.servers):
        raise Unsettable("its servers would not be the same")
    for was, now in zip(one.servers, after, strict=True):
        found = _of(spec, host.name, was)
        if _of(spec, host.name, now):
            raise Unsettable("the line would not count where it could be put")
        if not found and was != now:
            raise Unsettable(f"another server of it would change as well ({was.name or 'the main server'})")
    if new := _new(spec, host, one, after):
        raise Unsettable(f"it would bring about: {new[0]}")


def _new(spec: ClusterSpec, host: FtpHost, one: Instance, after: Sequence[FtpServer]) -> list[str]:
    others = [s for other in host.instances if other != one for s in other.servers]
    before = {(f.code, f.what) for f in daemon_findings(spec, host.name, [*others, *one.servers])}
    codes = {code for code, _ in before}
    found = daemon_findings(spec, host.name, [*others, *after])
    return [f.what for f in found if (f.code, f.what) not in before and f.code not in codes]
