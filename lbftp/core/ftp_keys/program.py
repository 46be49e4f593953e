"""Setting keys of an FTP server's own files, as one program on that server: judge, keep a copy, write, restart, listen.

The program goes on when the connection is cut, and takes its way back by itself when a step fails: a worker that dies
leaves a daemon that runs with the old text or with the new one. What it kept stays in a folder of its own, with a
program `restore` that also a person may run.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from lbftp.core.ftp.daemons import named
from lbftp.core.ftp.editing import Edit
from lbftp.core.ftp_keys import InstanceKeys, ServerKeys
from lbftp.core.ftp_keys.plan import KEEP, LISTEN, judge_id, renew_id, texts, write_id
from lbftp.core.ours import NEW_FILE, SERVERS, SERVERS_KEPT, SERVERS_LOCK, STEP_MARK, checked_name
from lbftp.core.program.shell import PRELUDE, argv, program
from lbftp.core.steps import sha256

RESTORE: Final = "restore"
LOCK: Final = "lock"
# All waits of one program and of its way back; the machine's own `timeout` stops it later than that.
SECONDS: Final = 600
# Run, server and a part that is drawn by lot.
_LONGEST_NAME: Final = 200

_WORDS: Final = r"""
# refused FILE WORDS: what a daemon said last goes with the words, unless that might show what stands in its files.
refused() {
  said=$(grep -viE 'pass|secret|sql|ldap|radius|cred|token' "$1" | grep . | tail -n 1 | cut -c1-200)
  echo "$2; nothing was changed${said:+: $said}"
}

# spare: a port that nobody listens at, above those that the kernel gives away by itself.
spare() {
  port=61021
  while [ "$port" -lt 61121 ]; do
    [ -n "$(ss -Htln "sport = :$port")" ] || { echo "$port"; return 0; }
    port=$((port + 1))
  done
  echo "no port from 61021 on is free"; return 1
}

# tried PORT COMMAND...: whether a daemon in the foreground comes to listen there; it is ended again. What vsftpd
# complains of it writes to its standard input, where it expects a client.
tried() {
  wanted=$1; shift
  : >"$work/said"
  "$@" <>"$work/said" >>"$work/said" 2>&1 9>&- &
  trial=$!; tries=0; result=1
  while [ "$tries" -lt 40 ]; do
    if [ -n "$(ss -Htln "sport = :$wanted")" ]; then result=0; break; fi
    kill -0 "$trial" 2>/dev/null || break
    tries=$((tries + 1)); sleep 0.25
  done
  kill "$trial" 2>/dev/null; wait "$trial" 2>/dev/null
  [ "$result" -eq 0 ] || refused "$work/said" "the daemon does not start with the new text"
  return "$result"
}

# renew UNIT HOW: a unit that may be reloaded and does not run is started.
renew() {
  if [ "$2" = reload ] && systemctl is-active -q "$1"; then timeout 60 systemctl reload "$1" 9>&-
  else timeout 90 systemctl restart "$1" 9>&-; fi
}

# listens DAEMON PORT...: whether the daemon itself does, at all of them.
listens() {
  daemon=$1; shift
  for port; do ss -Htlnp "sport = :$port" | grep -q "((\"$daemon" || return 1; done
}

# awaited UNIT DAEMON PORT...: waits until it listens, and goes on to: a daemon that cannot go on ends a moment later.
awaited() {
  unit=$1; shift; tries=0; steady=0; ended=0
  while [ "$tries" -lt 60 ] && [ "$ended" -lt 4 ]; do
    if listens "$@"; then steady=$((steady + 1)); else steady=0; fi
    [ "$steady" -lt 4 ] || return 0
    case $(systemctl is-active "$unit" 2>/dev/null) in inactive | failed) ended=$((ended + 1)) ;; *) ended=0 ;; esac
    tries=$((tries + 1)); sleep 0.5
  done
  name=$1; shift
  if [ "$ended" -gt 0 ]; then echo "$name does not listen at port $*: $unit has ended"
  else echo "$name does not listen at port $* within 30 s"; fi
  return 1
}
"""

# The folder's copies are the old text; a file that is neither old nor new is somebody else's work by now.
_BACK: Final = r"""
failed=0
# former NUMBER PATH BEFORE AFTER
former() {
  now=$(digest "$2")
  [ "$now" = "$3" ] && return 0
  [ "$now" = "$4" ] || { echo "$2 was changed by somebody meanwhile: it is left as it is"; return 1; }
  if [ "$3" = absent ]; then rm -f "$2"; return; fi
  place=$(readlink -f "$2") && new=$(mktemp "${place%/*}/NEW_FILEXXXXXX") || return 1
  if cp -p "$here/files/$1" "$new" && sync "$new" && mv -f "$new" "$place"; then :
  else rm -f "$new"; cp -p "$here/files/$1" "$place" || return 1; fi
  if command -v restorecon >/dev/null; then restorecon "$place"; fi
}
""".replace("NEW_FILE", NEW_FILE)


def judge(found: ServerKeys, token: str) -> str:
    """The program that only has the daemons judge the new text: nothing is changed."""
    return program(_judged(found.keys), token, before=f"{_WORDS}{_WORK}")


def set_keys(found: ServerKeys, name: str, token: str) -> str:
    """The program that sets them. `name` is that of the folder with the way back, below SERVERS."""
    folder = _folder(name)
    bodies = {LOCK: _locked(), **_judged(found.keys), KEEP: _keep(found, folder)}
    bodies |= {write_id(e.path): _write(e) for e in texts(found.keys).values()}
    bodies |= {renew_id(n): _renew(keys, "reload" if keys.reload else "restart") for n, keys in enumerate(found.keys)}
    bodies[LISTEN] = "\n".join(
        [*(f"{_awaited(keys)} || return 1" for keys in found.keys), f'echo set >"{folder}/state"']
    )
    undo = _UNDO.format(folder=folder, restore=RESTORE, mark=STEP_MARK)
    return program(bodies, token, before=f"{_WORDS}{_WORK}{undo}")


def put_back(name: str, token: str) -> str:
    """The program that puts back what the folder `name` keeps; nothing where there is no such folder."""
    folder = _folder(name)
    over = f'[ ! -e "{folder}/{RESTORE}" ] || [ "$(cat "{folder}/state")" = restored ]'
    body = f'{over} || sh "{folder}/{RESTORE}"'
    return program({LOCK: _locked(), RESTORE: body}, token)


def ask_states(name: str) -> str:
    """The program that waits until no other works on the server, and prints the folders whose names begin with `name`,
    each with what became of it: begun, set, restored or failed."""
    return f"""{PRELUDE}
do_lock() {{ {_locked()}
}}
do_lock >&2 || exit 3
for place in {_folder(name)}*/; do
  [ -e "$place/state" ] || continue
  place=${{place%/}}; printf '%s %s\\n' "${{place##*/}}" "$(cat "$place/state")"
done
"""


def states(answer: bytes) -> dict[str, str]:
    """Folder -> what became of it."""
    lines = (line.split() for line in answer.decode("ascii", "replace").splitlines())
    return {words[0]: words[1] for words in lines if len(words) == 2}


_WORK: Final = r"""
work=$(mktemp -d -p /run 2>/dev/null || mktemp -d) || exit 97
chmod 0700 "$work"
trap 'rm -rf "$work"' EXIT
"""
# Ended by a signal is ended by a step that failed. What the way back says belongs to a step of its own.
_UNDO: Final = r"""
undo() {{
  code=$?
  trap - EXIT
  rm -rf "$work"
  if [ "$code" -eq 0 ] || [ "$(cat "{folder}/state" 2>/dev/null)" != begun ]; then exit "$code"; fi
  printf '{mark} %s start %s\n' "$token" {restore}
  sh "{folder}/{restore}" 2>&1; result=$?
  printf '{mark} %s end %s %s\n' "$token" {restore} "$result"
  exit 3
}}
trap undo EXIT
trap 'exit 4' TERM INT
"""


def _folder(name: str) -> str:
    """The folder, in which nothing has to be quoted. ValueError for a name that is none."""
    return f"{SERVERS}/{checked_name(name, longest=_LONGEST_NAME)}"


def _locked() -> str:
    """The lock is this program's until it ends, whatever it starts."""
    return f"""exec 9>{SERVERS_LOCK}
flock -w 180 9 && return 0
echo "another program of lbftp's works on this server still"
return 1"""


def _judged(keys: Sequence[InstanceKeys]) -> dict[str, str]:
    return {judge_id(number): _judge(one) for number, one in enumerate(keys)}


def _judge(one: InstanceKeys) -> str:
    return named(one.instance.daemon).settings.judge(one.instance.config, one.edits, one.candidate)


def _keep(found: ServerKeys, folder: str) -> str:
    """Copies, the way back, and the mark that from here on there is something to put back."""
    edits = list(texts(found.keys).values())
    copies = [
        f'cp -p "$(readlink -f {shlex.quote(e.path)})" "$folder/files/{number}" &&'
        for number, e in enumerate(edits)
        if e.before is not None
    ]
    return "\n".join(
        [
            f"folder={folder}",
            '[ ! -e "$folder" ] || { echo "$folder is there already"; return 1; }',
            '(umask 077 && mkdir -p "$folder/files") &&',
            *(f"[ {_digest(e)} = {_before(e)} ] || {{ {_changed(e)} }} &&" for e in edits),
            *copies,
            f'put "$folder/{RESTORE}" {shlex.quote(_restore(found, edits))} 0700 && echo begun >"$folder/state" &&',
            f'ls -1dt {SERVERS}/*/ | tail -n +{SERVERS_KEPT + 1} | while read -r old; do rm -rf "$old"; done',
        ]
    )


def _digest(edit: Edit) -> str:
    return f'"$(digest {shlex.quote(edit.path)})"'


def _before(edit: Edit) -> str:
    return "absent" if edit.before is None else sha256(edit.before)


def _changed(edit: Edit) -> str:
    text = f"{edit.path} was changed by somebody since the plan was made: plan again"
    return f'rm -rf "$folder"; echo {shlex.quote(text)}; return 1;'


def _write(edit: Edit) -> str:
    return argv("change", edit.path, _before(edit), sha256(edit.after), edit.after)


def _renew(keys: InstanceKeys, how: str) -> str:
    return argv("renew", keys.instance.unit, how)


def _awaited(keys: InstanceKeys) -> str:
    return argv("awaited", keys.instance.unit, keys.instance.daemon, *keys.instance.ports)


def _restore(found: ServerKeys, edits: Sequence[Edit]) -> str:
    """The way back as a program of its own. Running it twice is the same as once, but for a further restart."""
    lines = [PRELUDE, _WORDS, "case $0 in */*) here=${0%/*} ;; *) here=. ;; esac", _BACK]
    lines += [f"{line} || failed=1" for line in _formers(edits)]
    for keys in found.keys:
        lines += [f"{_renew(keys, 'restart')} || failed=1", f"{_awaited(keys)} || failed=1"]
    lines.append('if [ "$failed" -eq 0 ]; then echo restored; else echo failed; fi >"$here/state"')
    lines.append('[ "$failed" -ne 0 ] || echo "what was there before is back, and the daemon listens"')
    return "\n".join([*lines, 'exit "$failed"', ""])


def _formers(edits: Sequence[Edit]) -> Iterator[str]:
    for number, edit in enumerate(edits):
        yield argv("former", number, edit.path, _before(edit), sha256(edit.after))
