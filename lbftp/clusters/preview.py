"""What each machine would hold for a spec, beside what the applied revision renders, while people are typing."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from itertools import groupby

from lbftp.core.ftp import daemons
from lbftp.core.ftp.lines import snippets
from lbftp.core.observe.observed import Platform
from lbftp.core.render import preview
from lbftp.core.render.artifact import Artifact
from lbftp.core.spec import ClusterSpec

_FAMILIES: dict[Platform, str] = {"debian": "Debian", "redhat": "Red Hat"}
_WHOLE = 1 << 20  # lines of context: all


@dataclass(frozen=True, slots=True)
class Part:
    """One file or set of rules. `diff` is '' where nothing is applied yet or nothing changes.

    `state`: '' (nothing to compare with), same, new, changed, gone.
    """

    path: str
    text: str
    diff: str
    state: str


@dataclass(frozen=True, slots=True)
class Machine:
    """A router, or the FTP servers, which are all alike."""

    name: str
    parts: tuple[Part, ...]

    @property
    def changes(self) -> int:
        return sum(part.state in ("new", "changed", "gone") for part in self.parts)


def machines(spec: ClusterSpec, applied: ClusterSpec | None) -> list[Machine]:
    """Routers in order, then the FTP servers; `applied` None: nothing is on the routers yet."""
    before = {(a.router, a.path): a.text for a in _rendered(applied)} if applied else None
    after = {(a.router, a.path): a.text for a in _rendered(spec)}
    keys = [*after, *(key for key in before or {} if key not in after)]
    keys.sort(key=lambda key: (key[0] == _SERVERS, key[0]))
    found = groupby(keys, key=lambda key: key[0])
    return [Machine(name, tuple(_part(key, before, after) for key in here)) for name, here in found]


_SERVERS = "FTP servers"
_Texts = dict[tuple[str, str], str]


def _rendered(spec: ClusterSpec) -> list[Artifact]:
    found = list(preview(spec))
    for snippet in snippets(spec):
        where = f"{daemons.title(snippet.daemon)} on {_FAMILIES[snippet.platform]}"
        found += [Artifact(_SERVERS, f"{file.path} ({where})", file.text) for file in snippet.files]
    return found


def _part(key: tuple[str, str], before: _Texts | None, after: _Texts) -> Part:
    path, new = key[1], after.get(key)
    if before is None:
        return Part(path, new or "", "", "")
    old = before.get(key)
    if old == new:
        return Part(path, new or "", "", "same")
    lines = difflib.unified_diff((old or "").splitlines(), (new or "").splitlines(), lineterm="", n=_WHOLE)
    return Part(path, new or "", "\n".join(lines), "new" if old is None else "gone" if new is None else "changed")
