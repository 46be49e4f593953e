"""What a proof or a maintenance run told, in few words and in rows of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

KINDS: Final = ("restart", "reboot", "failover")
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """`head` names the columns; each row has its name first. `lists` are longer things, each with a title."""

    head: Row
    rows: Sequence[Row]
    lists: list[tuple[str, list[str]]]

    @property
    def cells(self) -> list[list[tuple[str, str]]]:
        """Each row's cells with their column's name, for narrow screens."""
        return [list(zip(self.head, row, strict=True)) for row in self.rows]


def in_short(kind: str, state: str, result: Mapping[str, Any]) -> str:
    """What came of it, for one line: 'r2, r1: complete'."""
    told = result.get(kind) or {}
    if state != "succeeded" or not told:
        return "not proven"
    if kind == "failover":
        away = told["away"]
        sync = "with" if told["sync"] else "without"
        lost = f"{len(away['lost'])} of {len(away['going_on'])} sessions lost"
        return f"{told['other']} took over, {away['seconds']} s at worst, {lost} ({sync} sync)"
    return f"{', '.join(told)}: complete"


def table(result: Mapping[str, Any]) -> Table | None:
    """The numbers of a run that was one of these; None for others, and where there are none yet."""
    for kind, made in _TABLES.items():
        if told := result.get(kind):
            return made(told)
    return None


def _restart(told: Mapping[str, Mapping[str, Any]]) -> Table:
    head = ("Router", "Restarted", "Foreign rules gone", "Put back")
    rows = [(n, ", ".join(one["units"]), str(one["gone"]), str(one["put_back"])) for n, one in told.items()]
    return Table(head, rows, [(f"{n}: gone", one["left"]) for n, one in told.items() if one["left"]])


def _reboot(told: Mapping[str, Mapping[str, Any]]) -> Table:
    head = ("Router", "Complete after", "VIP moved in", "systemd says", "Foreign rules lost")
    rows = [
        (
            n,
            f"{one['seconds']:.0f} s",
            _seconds(one["moved_in"], "did not hold it"),
            one["state"],
            str(len(one["gone"])),
        )
        for n, one in told.items()
    ]
    lists = [(f"{n}: gone", one["gone"]) for n, one in told.items() if one["gone"]]
    lists += [(f"{n}: failed units", one["failed_units"]) for n, one in told.items() if one["failed_units"]]
    return Table(head, rows, lists)


def _failover(told: Mapping[str, Any]) -> Table:
    ways = [(words, told[way]) for way, words in (("away", f"To {told['other']}"), ("back", "And back")) if way in told]
    head = ("Way", "Worst wait", "Going on", "Of these lost", "New sessions", "Of these failed")
    rows = [
        (words, f"{w['seconds']} s", str(len(w["going_on"])), str(len(w["lost"])), str(w["tried"]), str(w["failed"]))
        for words, w in ways
    ]
    return Table(head, rows, [(f"{words}: what clients were told", w["reasons"]) for words, w in ways if w["reasons"]])


def _maintenance(told: Mapping[str, Any]) -> Table:
    if told["out"]:
        return Table(
            ("Router", "Is now", "VIP moved in"),
            [(told["router"], "out", _seconds(told["seconds"], "not measured"))],
            [],
        )
    return Table(("Router", "Is now"), [(told["router"], "in service")], [])


def _seconds(value: float | None, none: str) -> str:
    return none if value is None else f"{value} s"


_TABLES: Final = {"restart": _restart, "reboot": _reboot, "failover": _failover, "maintenance": _maintenance}
