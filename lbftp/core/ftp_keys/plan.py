"""The plan of setting keys: per real server its steps, in the order in which they are done, and what speaks against it.

The plan is stored and shown, so it holds digests of whole files and no more of them than the lines that change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lbftp.core.ftp.daemons import named
from lbftp.core.ftp.editing import Edit
from lbftp.core.ftp.host import FtpHost
from lbftp.core.ftp_keys.instance import InstanceKeys, Unset
from lbftp.core.ftp_keys.server import ServerKeys, server_keys
from lbftp.core.ftp_keys.shown import difference
from lbftp.core.plan import Plan, RouterPlan
from lbftp.core.problem import Problem, Severity
from lbftp.core.spec import ClusterSpec
from lbftp.core.steps import Step, sha256

KIND: Final = "servers"
JUDGE, KEEP, WRITE, RENEW, LISTEN, LOOK = "judge", "keep", "write", "renew", "listen", "look-again"
_SESSIONS: Final = {
    True: "It reads its file again; sessions that go on are kept",
    False: "Sessions that go on there end, clients have to log in again",
}


def chosen(params: Mapping[str, Any]) -> frozenset[str]:
    """The real servers that people chose for a change of this kind."""
    return frozenset(str(name) for name in params.get("servers", ()))


def servers_plan(spec: ClusterSpec, hosts: Mapping[str, FtpHost]) -> Plan:
    """Of what the servers hold; the same input gives the same plan and digest."""
    found = [server_keys(spec, hosts[name]) for name in sorted(hosts)]
    severity: Severity = "warning" if any(one.keys for one in found) else "error"
    problems = [p for one in found for p in _problems(one, hosts[one.server], severity)]
    return Plan(spec.name, spec.digest, tuple(server_plan(one) for one in found), tuple(problems), KIND)


def server_plan(found: ServerKeys) -> RouterPlan:
    """One server's part: nothing to do where nothing is to be set."""
    changes = [difference(keys.instance.daemon, edit) for keys in found.keys for edit in keys.edits]
    notes = [*(f"Not set: {text}" for text in found.left), *_digests(found)]
    return RouterPlan(found.server, tuple(_steps(found)), tuple(changes), tuple(notes))


def concerned(plan: Plan) -> list[str]:
    """The servers on which something is done, in that order."""
    return [one.router for one in plan.routers if one.steps]


def _digests(found: ServerKeys) -> Iterator[str]:
    for edit in (edit for keys in found.keys for edit in keys.edits):
        before = "not there" if edit.before is None else f"SHA-256 {sha256(edit.before)}"
        yield f"{edit.path}: now {before}, then SHA-256 {sha256(edit.after)}"


def _steps(found: ServerKeys) -> Iterator[Step]:
    if not found.keys:
        return
    for number, keys in enumerate(found.keys):
        daemon = named(keys.instance.daemon)
        title = f"Have {daemon.title} judge the new text"
        params: dict[str, Any] = {"config": keys.instance.config, "candidate": sha256(keys.candidate)}
        yield _step(judge_id(number), JUDGE, title, daemon.settings.judged_by, params)
    yield _step(KEEP, KEEP, "Keep a copy of what is there, and the way back", "It is taken if a later step fails", {})
    for keys in found.keys:
        why = "; ".join(dict.fromkeys(f.what.partition(": ")[2] for f in keys.findings))
        yield from (_write(edit, why) for edit in keys.edits)
    for number, keys in enumerate(found.keys):
        verb = "Reload" if keys.reload else "Restart"
        params = {"unit": keys.instance.unit, "reload": keys.reload}
        yield _step(renew_id(number), RENEW, f"{verb} {keys.instance.unit}", _SESSIONS[keys.reload], params)
    ports = sorted({port for keys in found.keys for port in keys.instance.ports})
    title = f"See that it listens at port {' and '.join(map(str, ports))} again"
    yield _step(LISTEN, LISTEN, title, "Else the old text comes back", {"ports": ports})
    codes = sorted({f.code for keys in found.keys for f in keys.findings})
    yield _step(
        LOOK, LOOK, "Look again: nothing of this is found any more", "Else the old text comes back", {"codes": codes}
    )


def judge_id(number: int) -> str:
    return f"{JUDGE}-{number}"


def renew_id(number: int) -> str:
    return f"{RENEW}-{number}"


def write_id(path: str) -> str:
    return f"{WRITE}:{path}"


def _write(edit: Edit, why: str) -> Step:
    before = None if edit.before is None else sha256(edit.before)
    params = {"path": edit.path, "before": before, "after": sha256(edit.after)}
    verb = "Create" if edit.before is None else "Change"
    return _step(write_id(edit.path), WRITE, f"{verb} {edit.path}", why, params)


def _step(id_: str, kind: str, title: str, why: str, params: dict[str, Any]) -> Step:
    return Step(id_, f"ftp-{kind}", title, "run", why, params)


def _problems(found: ServerKeys, host: FtpHost, severity: Severity) -> Iterator[Problem]:
    """Errors where nothing else is to be set on any server, so that a change that would do nothing says why."""
    if not host.root:
        reason = f"{found.server}: the account is not root, so nobody can tell which process listens."
        remedy = "Give its credential sudo, or set the lines yourself."
        yield Problem("LBF030", severity, "servers", reason, remedy, found.server)
    for one in found.unset:
        yield _unset(found.server, one, severity)


def _unset(server: str, one: Unset, severity: Severity) -> Problem:
    what = "; ".join(dict.fromkeys(f.what for f in one.findings))
    lines = (
        f"Set there yourself, in {one.instance.config}: {', '.join(one.lines)}."
        if one.lines
        else one.findings[0].remedy
    )
    reason = f"{what}. It is not set from here: {one.reason}."
    return Problem("LBF028", severity, "servers", reason, lines, server)


def texts(keys: Sequence[InstanceKeys]) -> dict[str, Edit]:
    """Path -> edit, of all daemons of a server."""
    return {edit.path: edit for one in keys for edit in one.edits}
