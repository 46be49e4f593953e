"""A run's findings by where they are: the pair, each router, each FTP server or probe host, the worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lbftp.clusters.models import Cluster

_ORDER: Final = ("error", "warning", "info")
_WORDS: Final = {"error": "error", "warning": "warning", "info": "note"}


@dataclass(frozen=True, slots=True)
class Place:
    """`kind` is 'pair', 'router', or '' for another machine, whose `name` says what it is."""

    kind: str
    name: str
    findings: Sequence[Mapping[str, Any]]

    @property
    def worst(self) -> str:
        """The worst severity of what is left; 'ok' if all of it was put right."""
        left = {str(f["severity"]) for f in self.findings if not f.get("repaired")}
        return next((severity for severity in _ORDER if severity in left), "ok")

    @property
    def count(self) -> str:
        """'2 errors, 1 warning'."""
        return in_words(self.findings)


def in_words(findings: Sequence[Mapping[str, Any]]) -> str:
    """How many of each severity are left, and how many were put right."""
    left = [str(f["severity"]) for f in findings if not f.get("repaired")]
    words = [_many(left.count(severity), _WORDS[severity]) for severity in _ORDER if severity in left]
    right = len(findings) - len(left)
    return ", ".join([*words, *([f"{right} put right"] if right else [])])


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def places(findings: Sequence[Mapping[str, Any]], cluster: Cluster | None) -> list[Place]:
    """The pair first, then routers, then others, each in the order of their names."""
    routers = {str(r.get("name")) for r in cluster.draft.get("routers", [])} if cluster else set()
    found: dict[tuple[int, str], list[Mapping[str, Any]]] = {}
    for one in findings:
        name = str(one.get("router") or "")
        rank = 0 if not name else 1 if name in routers else 2
        found.setdefault((rank, name), []).append(one)
    kinds = ("pair", "router", "")
    return [Place(kinds[rank], name, sorted(found[rank, name], key=_rank)) for rank, name in sorted(found)]


def _rank(one: Mapping[str, Any]) -> tuple[bool, int]:
    severity = str(one["severity"])
    return bool(one.get("repaired")), _ORDER.index(severity) if severity in _ORDER else len(_ORDER)
