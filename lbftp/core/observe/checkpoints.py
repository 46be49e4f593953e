"""The ways back that lie on a router: which there are, and what became of each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, cast

from lbftp.core import ours

# applied: its change was confirmed and stands; restored: it was put back, by guard, run or hand; waits: its guard is
# armed; left: its change never came to an end.
State = Literal["applied", "restored", "waits", "left"]

# checkpoint_state FOLDER: what became of the checkpoint, in $state. Both the program that looks at a router and the
# one that a person runs on its console ask this one.
CHECKPOINT_STATE: Final = f"""checkpoint_state() {{
  state=left
  if [ -e "$1/restored" ]; then state=restored
  elif [ "$(cat {ours.GUARD}/armed 2>/dev/null)" = "${{1##*/}}" ]; then state=waits
  elif [ -e "$1/confirmed" ]; then state=applied; fi
}}"""

_LINE: Final = re.compile(r"([0-9]{1,9}) (applied|restored|waits|left) ([A-Za-z0-9][A-Za-z0-9.:_-]{0,99})")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`number` grows with each one on its router."""

    number: int
    state: State
    name: str


def listed(text: str) -> tuple[Checkpoint, ...]:
    """What the program that looks at routers prints of them, the oldest first. Other lines are passed over."""
    found = (_LINE.fullmatch(line.strip()) for line in text.splitlines())
    return tuple(sorted((_checkpoint(m) for m in found if m), key=lambda c: c.number))


def _checkpoint(found: re.Match[str]) -> Checkpoint:
    return Checkpoint(int(found[1]), cast("State", found[2]), found[3])
