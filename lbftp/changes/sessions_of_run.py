"""The FTP sessions of a run as people see them: kinds of clients against real servers. Pure.

What is in a row: lbftp.core.sessions. Rows of earlier versions have less, and were made from one place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbftp.core.sessions import label, order


@dataclass(frozen=True, slots=True)
class Session:
    """One session. `row` is all that is known of it; `kind` its kind of client in words."""

    row: Mapping[str, Any]

    @property
    def kind(self) -> str:
        return label(self.row)

    @property
    def order(self) -> tuple[Any, ...]:
        return order(self.row)

    @property
    def ok(self) -> bool:
        return bool(self.row["ok"])

    @property
    def real_server(self) -> str:
        return self.row.get("real_server") or ""

    @property
    def place(self) -> str:
        """Where it was made from."""
        return self.row.get("place") or ""

    @property
    def why(self) -> Mapping[str, Any]:
        """{} or works, reason, hop (lbftp.core.blame)."""
        return self.row.get("why") or {}

    @property
    def active(self) -> bool:
        """Whether the server made the data connection: where that came from tells whether it was the VIP's port."""
        return str(self.row["mode"]) in ("PORT", "EPRT")

    @property
    def uploaded(self) -> bool:
        return "up" in (self.row.get("rates") or {})

    def to_json(self) -> dict[str, Any]:
        return {**self.row, "kind": self.kind}


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind with one real server: its last session from each place; `unseen` is why there is none."""

    real_server: str
    sessions: tuple[Session, ...]
    unseen: str = ""
    planned: bool = False


@dataclass(frozen=True, slots=True)
class TableRow:
    """One kind of client; `cells` stand in the order of the real servers. `failed` are those that reached none."""

    kind: str
    cells: tuple[Cell, ...]
    failed: tuple[Session, ...]


def servers(sessions: Sequence[Session], unseen: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted({s.real_server for s in sessions if s.real_server} | {one["real_server"] for one in unseen})


def table(sessions: Sequence[Session], unseen: Sequence[Mapping[str, Any]]) -> list[TableRow]:
    """Kinds in their usual order; of a kind with a server the last session from each place counts."""
    kinds = {s.kind: s.order for s in sessions}
    columns = servers(sessions, unseen)
    return [_row(kind, columns, sessions, unseen) for kind in sorted(kinds, key=lambda k: kinds[k])]


def reasons(unseen: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str], str]]:
    """(real server, kinds, why no session reached it), each reason once."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in unseen:
        found.setdefault((one["real_server"], one["reason"]), []).extend([one["kind"]] if one["kind"] else [])
    return [(server, kinds, reason) for (server, reason), kinds in found.items()]


def _row(
    kind: str, columns: Sequence[str], sessions: Sequence[Session], unseen: Sequence[Mapping[str, Any]]
) -> TableRow:
    mine = [s for s in sessions if s.kind == kind]
    cells = tuple(_cell(kind, server, [s for s in mine if s.real_server == server], unseen) for server in columns)
    return TableRow(kind, cells, tuple(s for s in mine if not s.ok and not s.real_server))


def _cell(kind: str, server: str, mine: Sequence[Session], unseen: Sequence[Mapping[str, Any]]) -> Cell:
    last = {s.place: s for s in mine}
    if last:
        return Cell(server, tuple(last[place] for place in sorted(last)))
    # A server with weight 0 is told of once, for all kinds.
    found = next((one for one in unseen if one["real_server"] == server and one["kind"] in ("", kind)), None)
    if found is None:
        return Cell(server, ())
    return Cell(server, (), found["reason"], bool(found.get("planned")))
