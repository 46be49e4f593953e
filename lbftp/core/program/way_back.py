"""The way back: put on a router before anything is changed, and run when something goes wrong."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

from lbftp.core.ours import CHECKPOINTS, CHECKPOINTS_KEPT, GUARD_UNIT_FILE, JOURNAL_TAG, NEW_FILE
from lbftp.core.program import guard
from lbftp.core.program.actions import UNDO
from lbftp.core.program.guard import Hold
from lbftp.core.program.shell import PRELUDE, argv, program
from lbftp.core.steps import Step, sha256


def checkpoint(run: str, steps: Sequence[Step], token: str, hold: Hold | None = None, record: str = "") -> str:
    """The program that puts the way back on the router before anything is changed: a folder with the `restore` program,
    and copies of the files and the running rules for people to look at. The last 20 are kept. With `hold` the guard
    is armed when everything else is there. `record` is what a manager reads later to plan a way back past this one."""
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
put "$folder/digests" {shlex.quote(_digests(steps))} && put "$folder/record" {shlex.quote(record)} 0600 &&
last=$(cat {CHECKPOINTS}/*/number 2>/dev/null | sort -n | tail -n 1) &&
echo "$((${{last:-0}} + 1))" >"$folder/number" &&
for place in {CHECKPOINTS}/*/; do
  printf '%s %s\n' "$(cat "$place/number" 2>/dev/null || echo 0)" "$place"
done | sort -rn | tail -n +{CHECKPOINTS_KEPT + 1} | while read -r _ old; do rm -rf "$old"; done
"""
    if hold is None:
        return program({"checkpoint": body}, token)
    return program({"checkpoint": body, "guard": guard.arm(hold)}, token, before=guard.owned(hold))


def restore(steps: Sequence[Step]) -> str:
    """The way back as a program of its own, which needs neither the manager nor the network. Running it twice is the
    same as once. Every undo is tried even if another failed; the exit code then says so."""
    undo = [(s, UNDO[s.kind](s.params)) for s in reversed(steps) if s.kind in UNDO]
    lines = [PRELUDE, _BEGIN, *_swept(steps)]
    for step, text in undo:
        lines.append(f"{{ {text}\n}} || {{ say {shlex.quote('could not undo: ' + step.title)}; failed=1; }}")
    lines += [f"{{ {text}\n}} || failed=1" for text in _after(steps)]
    return "\n".join([*lines, _END])


def _swept(steps: Sequence[Step]) -> list[str]:
    """What a boot broke off leaves new files under the names that `put` gives them, which nobody else uses."""
    paths = {GUARD_UNIT_FILE, *(s.params["path"] for s in steps if s.kind in {"write-file", "remove-file"})}
    return [argv("sweep", path) for path in sorted(paths)]


# The journal is told also when a person runs it. Marks are for a checkpoint's own folder only.
_BEGIN: Final = """
case $0 in */restore) here=${0%/*} ;; *) here=/nonexistent ;; esac
name=${here##*/}
say() { echo "$1"; logger -t JOURNAL_TAG -- "$name: $1" 2>/dev/null || :; }
[ ! -e "$here/number" ] || logger -t JOURNAL_TAG -- "$name: putting back what was there before" 2>/dev/null || :
failed=0
sweep() { place=$(readlink -f "$1") && rm -f "${place%/*}"/NEW_FILE??????; }
""".replace("JOURNAL_TAG", JOURNAL_TAG).replace("NEW_FILE", NEW_FILE)
_END: Final = """
[ -e "$here/number" ] || exit "$failed"
if [ "$failed" -eq 0 ]; then
  touch "$here/restored" 2>/dev/null || :
  rm -f "$here/confirmed"
  logger -t JOURNAL_TAG -- "$name: what was there before is back" 2>/dev/null || :
else
  logger -t JOURNAL_TAG -- "$name: not everything could be put back" 2>/dev/null || :
fi
exit "$failed"
""".replace("JOURNAL_TAG", JOURNAL_TAG)


def _digests(steps: Sequence[Step]) -> str:
    """Files that the steps write, one a line: digest before, digest after, path."""
    rows = []
    for step in steps:
        if step.kind in {"write-file", "remove-file"}:
            before, after = step.params["before"], step.params.get("after")
            words = ["absent" if text is None else sha256(text) for text in (before, after)]
            rows.append(" ".join([*words, step.params["path"]]))
    return "".join(f"{row}\n" for row in rows)


def _after(steps: Sequence[Step]) -> list[str]:
    """Modules and keepalived learn of their old files only after all of them are back."""
    found = [f"{argv('again', s.params['module'])} || :" for s in steps if s.kind == "reload-module"]
    reloads = [s for s in steps if s.kind == "reload-keepalived"]
    if reloads:
        found.append("reload" if reloads[0].params["was_active"] else "systemctl stop keepalived")
    return found
