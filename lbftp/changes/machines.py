"""What was last found on real servers' own machines, server by server. Reads runs' results only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lbftp.changes.findings_of_run import in_words
from lbftp.changes.models import Run
from lbftp.clusters.models import Cluster
from lbftp.core.ftp import daemons
from lbftp.core.ftp.looks import of_a_machine, server_of

_SEVERITIES: Final = ("error", "warning", "info")
K: Final = Run.Kind


@dataclass(frozen=True, slots=True)
class Machine:
    """One real server. `findings` have `what` without the server's name, the worst first; `run` is the look, 0 if
    nobody looked; `daemons` run there; `reason` says why it could not be looked at."""

    findings: Sequence[Mapping[str, Any]] = ()
    run: int = 0
    daemons: Sequence[str] = ()
    reason: str = ""

    @property
    def state(self) -> tuple[str, str]:
        """A look (web/templatetags/ui.py) and its word."""
        if self.findings:
            return str(self.findings[0]["severity"]), in_words(self.findings)
        if self.run and not self.reason:
            return "ok", "as wanted"
        return "idle", "not looked at"

    @property
    def lines(self) -> list[tuple[str, str]]:
        """(name, title) of its daemons, for links to their lines."""
        return [(one.name, one.title) for one in daemons.DAEMONS if one.name in self.daemons]


def machines(cluster: Cluster, names: Collection[str]) -> dict[str, Machine]:
    """By name; {} where no machine was ever looked at and nothing was found, since nobody gave access then."""
    look = _newest(cluster, (K.VERIFY, K.COMPLY), "servers")
    # Only a verification makes sessions, which tell the ports that servers choose.
    sessions = _newest(cluster, (K.VERIFY,), "findings")
    found = [(one, look.pk) for one in _findings(look) if of_a_machine(one)] if look else []
    found += [(one, sessions.pk) for one in _findings(sessions) if not of_a_machine(one)] if sessions else []
    rows = {str(row.get("name")): row for row in (look.result.get("servers") or [] if look else [])}
    return _machines(found, rows, look.pk if look else 0, names)


def _machines(
    found: Sequence[tuple[Mapping[str, Any], int]], rows: Mapping[str, Any], look: int, names: Collection[str]
) -> dict[str, Machine]:
    by_server: dict[str, list[tuple[Mapping[str, Any], int]]] = {}
    for one, run in found:
        if name := server_of(one, names):
            by_server.setdefault(name, []).append((_brief(one, name), run))
    if not by_server and not rows:
        return {}
    return {name: _machine(by_server.get(name, []), rows.get(name), look) for name in names}


def _machine(found: Sequence[tuple[Mapping[str, Any], int]], row: Mapping[str, Any] | None, look: int) -> Machine:
    findings = sorted((one for one, _ in found), key=_rank)
    run = look if row else max((run for _, run in found), default=0)
    return Machine(findings, run, row.get("daemons", ()) if row else (), str(row.get("reason", "")) if row else "")


def _brief(one: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return {**one, "what": str(one.get("what", "")).removeprefix(f"{name}: ").removeprefix(f"{name} ")}


def _rank(one: Mapping[str, Any]) -> int:
    return _SEVERITIES.index(one["severity"]) if one.get("severity") in _SEVERITIES else len(_SEVERITIES)


def _newest(cluster: Cluster, kinds: Sequence[str], key: str) -> Run | None:
    return cluster.runs.filter(kind__in=kinds, result__has_key=key).order_by("-pk").first()


def _findings(run: Run) -> list[Mapping[str, Any]]:
    return [one for one in run.result.get("findings", []) if not one.get("repaired")]
