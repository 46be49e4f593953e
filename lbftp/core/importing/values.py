"""What an import gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lbftp.core.observe.keepalived.tree import Block
from lbftp.core.ours import INCLUDE_DIR
from lbftp.core.spec import ClusterSpec


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that was found and not taken over as it is, and why. `line` is 0 where there is no file."""

    what: str
    why: str
    router: str = ""
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class InTheWay:
    """A hand-made part that collides with what lbftp would put there: to be removed by hand before an apply.

    `router` names every router that has it there. `place` is a file with its line, or a table and chain.
    """

    router: str
    place: str
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A cluster as it was found. `fields` is in the form of `spec.to_json`; `spec` is None, with the reason in
    `problem`, where the fields do not make one."""

    name: str
    fields: Mapping[str, Any]
    spec: ClusterSpec | None
    problem: str
    left: tuple[Leftover, ...]
    in_the_way: tuple[InTheWay, ...]

    def to_json(self) -> dict[str, Any]:
        """JSON-ready, without the spec: the fields say it all."""
        return {
            "name": self.name,
            "fields": dict(self.fields),
            "problem": self.problem,
            "left": [asdict(item) for item in self.left],
            "in_the_way": [asdict(item) for item in self.in_the_way],
        }


@dataclass(slots=True)
class Found:
    """One cluster on one router, as it comes together. `own`: lbftp rendered it. `about` are the router's own values.

    `guessed` names the fields that were not seen but chosen, so that another router's better knowledge wins.
    """

    router: str
    name: str
    own: bool
    fields: dict[str, Any] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    left: list[Leftover] = field(default_factory=list)
    in_the_way: list[InTheWay] = field(default_factory=list)
    guessed: set[str] = field(default_factory=set)

    def leave(self, what: str, why: str, file: str = "", line: int = 0) -> None:
        self.left.append(Leftover(what, why, self.router, file, line))

    def unknown(self, options: Iterable[Block], where: str) -> None:
        """Options that lbftp does not have. Its own files hold none; compliance tells what was edited there."""
        for option in options:
            if not option.file.startswith(f"{INCLUDE_DIR}/"):
                self.leave(option.text, f"lbftp has no such setting for {where}", option.file, option.line)

    def blocked(self, place: str, what: str, why: str) -> None:
        """Nothing that lbftp put there is in its own way."""
        self.in_the_way.append(InTheWay(self.router, place, what, why))

    def guess(self, name: str, value: Any) -> None:
        self.fields[name] = value
        self.guessed.add(name)
