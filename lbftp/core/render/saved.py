"""Our chains merged into a platform's saved rules, every foreign line kept byte for byte.

Merging only what is ours means that rules which other programs merely run (container engines, fail2ban) are never
frozen into the file, which `iptables-save > file` would do.
"""

from __future__ import annotations

from collections.abc import Sequence

from lbftp.core.observe.iptables import Ruleset
from lbftp.core.render.artifact import OwnChain
from lbftp.core.render.iptables import BUILTIN, TABLES, own_names


def merge(saved: str | None, cluster: str, wanted: Sequence[OwnChain], running: Ruleset) -> str:
    """The saved file with exactly `wanted` of this cluster's chains; `saved` None: there is no file yet.

    A table that the file lacks is added, with the policies that are running now. Merging twice changes nothing.
    """
    lines = [] if saved is None else saved.split("\n")
    tail = [""] if lines and lines[-1] == "" else []
    lines = [line for line in (lines[:-1] if tail else lines) if not _ours(line, cluster)]
    for table in TABLES:
        here = [c for c in wanted if c.table == table]
        if here:
            lines = _insert(lines, table, here, running)
    return "\n".join([*lines, *(tail if saved else [""])])


def _ours(line: str, cluster: str) -> bool:
    """Whether `line` declares, fills or jumps to one of this cluster's chains."""
    names = own_names(cluster)
    words = line.split("] ", 1)[-1].split() if line.startswith("[") else line.split()
    if not words:
        return False
    if words[0].startswith(":"):
        return words[0][1:] in names
    return len(words) > 1 and words[0] == "-A" and (words[1] in names or (words[-2] == "-j" and words[-1] in names))


def _insert(lines: list[str], table: str, here: Sequence[OwnChain], running: Ruleset) -> list[str]:
    heading = f"*{table}"
    if heading not in [line.strip() for line in lines]:
        policies = [f":{name} {running.policy(table, name)} [0:0]" for name in BUILTIN[table]]
        return [*lines, heading, *policies, *_declared(here), *_filled(here), "COMMIT"]
    start = [line.strip() for line in lines].index(heading)
    end = next((i for i in range(start, len(lines)) if lines[i].strip() == "COMMIT"), len(lines))
    declared = [i for i in range(start, end) if lines[i].startswith(":")]
    place = (declared[-1] if declared else start) + 1
    return [*lines[:place], *_declared(here), *_filled(here), *lines[place:]]


def _declared(here: Sequence[OwnChain]) -> list[str]:
    return [f":{c.name} - [0:0]" for c in here]


def _filled(here: Sequence[OwnChain]) -> list[str]:
    """Jumps first: they stand before any foreign rule of the table, as they do in the running system."""
    jumps = [f"-A {c.builtin} -j {c.name}" for c in here]
    return [*jumps, *(f"-A {c.name} {r.text}" for c in here for r in c.rules)]
