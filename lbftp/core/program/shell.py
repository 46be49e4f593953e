"""The frame of every program: helpers in shell, marks that stream, quoting.

A program streams one mark a line while it runs, so that progress is seen as it happens:

    STEP_MARK TOKEN start STEP        STEP_MARK TOKEN end STEP CODE

TOKEN is the caller's secret for this one program, so that nothing a command prints can pass for a mark. A program
goes on when the connection is cut (SIGPIPE and SIGHUP are ignored), and stops at the first step that fails.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lbftp.core.ours import NEW_FILE, STEP_MARK

# Exit codes of our own; others are those of the command that failed.
STEP_FAILED: Final = 3

_TOKEN: Final = re.compile(r"[A-Za-z0-9]{8,64}")
_MARK: Final = re.compile(STEP_MARK + r" (\S+) (start|end) (\S+)(?: (\d+))?")

PRELUDE: Final = r"""
set -u
umask 022
LC_ALL=C; export LC_ALL
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
trap '' HUP PIPE

digest() { if [ -e "$1" ]; then sum=$(sha256sum <"$1") && printf %s "${sum%% *}"; else printf absent; fi; }

# put PATH CONTENT [MODE]: a new file beside it, with its owner and mode, then one rename. A link stays a link.
put() {
  mkdir -p "${1%/*}" || return 1
  place=$(readlink -f "$1") && new=$(mktemp "${place%/*}/NEW_FILEXXXXXX") || return 1
  if [ -e "$place" ]; then cp -p "$place" "$new"; else chmod "${3:-0644}" "$new"; fi &&
    printf %s "$2" >"$new" && sync "$new" && mv -f "$new" "$place" || { rm -f "$new"; return 1; }
  if command -v restorecon >/dev/null; then restorecon "$place"; fi
}

# back PATH CONTENT MODE: as put; on a full disk, where no new file can be made, into the present one. It has room: what
# was there before is what this text goes back to, and nothing is cut off before all of it is written.
back() {
  put "$1" "$2" "$3" 2>/dev/null && return 0
  [ -f "$1" ] && printf %s "$2" | dd of="$1" conv=notrunc,fsync 2>/dev/null &&
    truncate -s "$(printf %s "$2" | wc -c)" "$1"
}

# change PATH BEFORE AFTER CONTENT [MODE]: only if it is still what the plan saw; done already is done.
change() {
  now=$(digest "$1") || return 1
  [ "$now" = "$3" ] && return 0
  [ "$now" = "$2" ] || { echo "$1 was changed by somebody since the plan was made: plan again"; return 1; }
  put "$1" "$4" "${5:-0644}"
}

# discard PATH BEFORE: the file goes if it is still what the plan saw.
discard() {
  now=$(digest "$1") || return 1
  [ "$now" = absent ] && return 0
  [ "$now" = "$2" ] || { echo "$1 was changed by somebody since the plan was made: plan again"; return 1; }
  rm -f "$1"
}

# service MARK OPTION: OPTION is what follows the mark in a listing, -s over IPv4 and -6 over IPv6.
service() { ipvsadm -Sn 2>/dev/null | grep -q -e "^-A -f $1 $2 "; }

# await MARK OPTION: keepalived reloads by itself after the signal; the service appears when it is through.
await() {
  tries=0
  while [ "$tries" -lt 60 ]; do
    service "$1" "$2" && return 0
    tries=$((tries + 1)); sleep 0.5
  done
  journalctl -u keepalived -n 15 --no-pager -o cat
  echo "keepalived ($(systemctl is-active keepalived)) did not bring up the service for mark $1 within 30 s." \
    "See \`systemctl status keepalived\` there."
  return 1
}

# holds ADDRESS: whether an interface has it now.
holds() { ip -o addr show to "$1" | grep -q .; }

# together VIPS FLOATING: waits until this router holds all of both or none.
together() {
  tries=0
  while [ "$tries" -lt 60 ]; do
    all=0; none=0
    for address in $1 $2; do if holds "$address"; then all=$((all + 1)); else none=$((none + 1)); fi; done
    [ "$all" -eq 0 ] && return 0
    [ "$none" -eq 0 ] && return 0
    tries=$((tries + 1)); sleep 0.5
  done
  echo "after 30 s this router still holds only some of $1 $2: VRRP does not pass between the routers for all of them"
  return 1
}

# again MODULE: a module learns its options only when it is loaded, and cannot go while sessions use it.
again() {
  modprobe -r "$1" && modprobe "$1" && return 0
  modprobe "$1"
  echo "$1 cannot be loaded again while FTP sessions use it: wait until they end, or drain this router first"
  return 1
}

reload() {
  if systemctl is-active -q keepalived; then systemctl reload keepalived; else systemctl start keepalived; fi
}
""".replace("NEW_FILE", NEW_FILE)

# free and release are no more than that until a guard gives them a meaning (program/guard.py).
_RUNNER: Final = r"""
free() { :; }
release() { :; }
step() {
  printf 'STEP_MARK %s start %s\n' "$token" "$1"
  free 2>&1 && "$2" </dev/null 2>&1; code=$?
  release
  printf 'STEP_MARK %s end %s %s\n' "$token" "$1" "$code"
  [ "$code" -eq 0 ] || exit 3
}
""".replace("STEP_MARK", STEP_MARK)


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark of a running program. `code` is None at a start."""

    step: str
    code: int | None


def read_mark(line: str, token: str) -> Mark | None:
    """The mark in `line`, None if it is a command's output."""
    found = _MARK.fullmatch(line.strip())
    if not found or found[1] != token:
        return None
    return Mark(found[3], int(found[4]) if found[2] == "end" and found[4] else None)


def program(bodies: Mapping[str, str], token: str, *, before: str = "") -> str:
    """The program that does `bodies` (step -> shell text) one after the other; `before` are lines that come first."""
    if not _TOKEN.fullmatch(token):
        raise ValueError("a token is 8-64 letters and digits")
    lines = [PRELUDE, f"token={token}", _RUNNER, before]
    for number, (id_, body) in enumerate(bodies.items()):
        lines += [f"do_{number}() {{", body, "}", f"step {shlex.quote(id_)} do_{number}"]
    return "\n".join([*lines, "exit 0", ""])


def argv(*words: object) -> str:
    return shlex.join(str(word) for word in words)
