"""The way back: put on a router before anything is changed, and run when something goes wrong."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

from lbftp.core.program import guard
from lbftp.core.program.actions import UNDO
from lbftp.core.program.guard import Hold
from lbftp.core.program.shell import PRELUDE, argv, program
from lbftp.core.steps import Step

CHECKPOINTS: Final = "/var/lib/lbftp/checkpoints"


def checkpoint(run: str, steps: Sequence[Step], token: str, hold: Hold | None = None) -> str:
    """The program that puts the way back on the router before anything is changed: a folder with the `restore` program,
    and copies of the files and the running rules for people to look at. The last 20 are kept. With `hold` the guard
    is armed when everything else is there."""
    folder = f"{CHECKPOINTS}/{run}"
    files = [s.params["path"] for s in steps if s.kind == "write-file" and s.params["before"] is not None]
    copies = " &&\n".join(f'cp -p {shlex.quote(p)} "$folder/files/"' for p in files) or ":"
    body = f"""
folder={shlex.quote(folder)}
(umask 077 && mkdir -p "$folder/files") &&
{copies} &&
iptables-save >"$folder/rules" && ip6tables-save >"$folder/rules6" &&
if grep -q '^nf_tables ' /proc/modules; then nft list ruleset >"$folder/nft"; fi &&
put "$folder/restore" {shlex.quote(restore(steps))} && chmod 0700 "$folder/restore" &&
ls -1dt {CHECKPOINTS}/*/ | tail -n +21 | while read -r old; do rm -rf "$old"; done
"""
    if hold is None:
        return program({"checkpoint": body}, token)
    return program({"checkpoint": body, "guard": guard.arm(hold)}, token, before=guard.owned(hold))


def restore(steps: Sequence[Step]) -> str:
    """The way back as a program of its own, which needs neither the manager nor the network. Running it twice is the
    same as once. Every undo is tried even if another failed; the exit code then says so."""
    undo = [(s, UNDO[s.kind](s.params)) for s in reversed(steps) if s.kind in UNDO]
    lines = [PRELUDE, "failed=0"]
    for step, text in undo:
        lines.append(f"{{ {text}\n}} || {{ echo {shlex.quote('could not undo: ' + step.title)}; failed=1; }}")
    lines += [f"{{ {text}\n}} || failed=1" for text in _after(steps)]
    return "\n".join([*lines, 'exit "$failed"', ""])


def _after(steps: Sequence[Step]) -> list[str]:
    """Modules and keepalived learn of their old files only after all of them are back."""
    found = [f"{argv('again', s.params['module'])} || :" for s in steps if s.kind == "reload-module"]
    reloads = [s for s in steps if s.kind == "reload-keepalived"]
    if reloads:
        found.append("reload" if reloads[0].params["was_active"] else "systemctl stop keepalived")
    return found
