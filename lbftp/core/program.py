"""Steps -> the POSIX shell program that a router runs. The only place that quotes.

A program streams one mark a line while it runs, so that progress is seen as it happens:

    @lbftp TOKEN start STEP        @lbftp TOKEN end STEP CODE

TOKEN is the caller's secret for this one program, so that nothing a command prints can pass for a mark. A program
goes on when the connection is cut (SIGPIPE and SIGHUP are ignored), and stops at the first step that fails.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any, Final

from lbftp.core.observe.keepalived import INCLUDE_DIR, INCLUDE_LINE
from lbftp.core.steps import Step, sha256

CHECKPOINTS: Final = "/var/lib/lbftp/checkpoints"
# Exit codes of our own; others are those of the command that failed.
STEP_FAILED: Final = 3

_TOKEN: Final = re.compile(r"[A-Za-z0-9]{8,64}")
_MARK: Final = re.compile(r"@lbftp (\S+) (start|end) (\S+)(?: (\d+))?")

_PRELUDE: Final = r"""
set -u
umask 022
LC_ALL=C; export LC_ALL
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
trap '' HUP PIPE

digest() { if [ -e "$1" ]; then sum=$(sha256sum <"$1") && printf %s "${sum%% *}"; else printf absent; fi; }

# put PATH CONTENT [MODE]: a new file beside it, with its owner and mode, then one rename. A link stays a link.
put() {
  mkdir -p "${1%/*}" || return 1
  place=$(readlink -f "$1") && new=$(mktemp "${place%/*}/.lbftp.XXXXXX") || return 1
  if [ -e "$place" ]; then cp -p "$place" "$new"; else chmod "${3:-0644}" "$new"; fi &&
    printf %s "$2" >"$new" && sync "$new" && mv -f "$new" "$place" || { rm -f "$new"; return 1; }
  if command -v restorecon >/dev/null; then restorecon "$place"; fi
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
  echo "keepalived did not bring up the service for mark $1 within 30 s; its last words:"
  journalctl -u keepalived -n 15 --no-pager -o cat
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
"""

_RUNNER: Final = r"""
step() {
  printf '@lbftp %s start %s\n' "$token" "$1"
  "$2" </dev/null 2>&1; code=$?
  printf '@lbftp %s end %s %s\n' "$token" "$1" "$code"
  [ "$code" -eq 0 ] || exit 3
}
"""


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


def apply(steps: Sequence[Step], token: str) -> str:
    """The program that does `steps` in their order."""
    return _program({s.id: _DO[s.kind](s.params) for s in steps}, token)


def checkpoint(run: str, steps: Sequence[Step], token: str) -> str:
    """The program that puts the way back on the router before anything is changed: a folder with the `restore` program,
    and copies of the files and the running rules for people to look at. The last 20 are kept."""
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
    return _program({"checkpoint": body}, token)


def run_restore(run: str, token: str) -> str:
    """The program that runs the router's own `restore` of the checkpoint `run`."""
    return _program({"restore": f"sh {shlex.quote(f'{CHECKPOINTS}/{run}/restore')}"}, token)


def run_leftover_restore(run: str, token: str) -> str:
    """As `run_restore`, for the newest of this run's checkpoints whatever its suffix; none is fine as well."""
    body = f"""
newest=$(ls -1dt {CHECKPOINTS}/{shlex.quote(run)}-*/restore 2>/dev/null | head -n 1)
if [ -n "$newest" ]; then sh "$newest"; else echo 'nothing was changed here'; fi
"""
    return _program({"restore": body}, token)


def restore(steps: Sequence[Step]) -> str:
    """The way back as a program of its own, which needs neither the manager nor the network. Running it twice is the
    same as once. Every undo is tried even if another failed; the exit code then says so."""
    undo = [(s, _UNDO[s.kind](s.params)) for s in reversed(steps) if s.kind in _UNDO]
    lines = [_PRELUDE, "failed=0"]
    for step, text in undo:
        lines.append(f"{{ {text}\n}} || {{ echo {shlex.quote('could not undo: ' + step.title)}; failed=1; }}")
    lines += [f"{{ {text}\n}} || failed=1" for text in _after(steps)]
    return "\n".join([*lines, 'exit "$failed"', ""])


def _program(bodies: Mapping[str, str], token: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise ValueError("a token is 8-64 letters and digits")
    lines = [_PRELUDE, f"token={token}", _RUNNER]
    for number, (id_, body) in enumerate(bodies.items()):
        lines += [f"do_{number}() {{", body, "}", f"step {shlex.quote(id_)} do_{number}"]
    return "\n".join([*lines, "exit 0", ""])


def _argv(*words: object) -> str:
    return shlex.join(str(word) for word in words)


def _load_module(p: Mapping[str, Any]) -> str:
    return _argv("modprobe", p["module"])


def _unload_module(p: Mapping[str, Any]) -> str:
    # A module in use stays; that is no reason to call the restoration failed, because nothing relies on its absence.
    return f"{_argv('modprobe', '-r', p['module'])} 2>/dev/null || :"


def _sysctl(key: str, value: str) -> str:
    return f"printf '%s\\n' {shlex.quote(value)} >{shlex.quote('/proc/sys/' + key.replace('.', '/'))}"


def _load_rules(p: Mapping[str, Any]) -> str:
    return f"printf %s {shlex.quote(p['text'])} | {_rules_program(p)}-restore --noflush --wait=10"


def _rules_program(p: Mapping[str, Any]) -> str:
    program = p.get("program", "iptables")
    if program not in {"iptables", "ip6tables"}:
        raise ValueError(f"{program!r} does not load rules")
    return str(program)


def _load_table(text: str) -> str:
    return f"printf %s {shlex.quote(text)} | nft -f -" if text else ":"


def _undo_rules(p: Mapping[str, Any]) -> str:
    """Our jumps and chains go, then those that were there before are loaded again, as they were."""
    lines = []
    for table, builtin, name in p["undo_jumps"]:
        where = f"{_rules_program(p)} -w 10 -t {shlex.quote(table)}"
        jump = f"{where} -D {shlex.quote(builtin)} -j {shlex.quote(name)} 2>/dev/null"
        lines.append(f"while {jump}; do :; done")
        lines.append(f"{where} -F {shlex.quote(name)} 2>/dev/null; {where} -X {shlex.quote(name)} 2>/dev/null")
    text = p["undo_text"]
    lines.append(f"printf %s {shlex.quote(text)} | {_rules_program(p)}-restore --noflush --wait=10" if text else ":")
    return "\n".join(lines)


def _check_keepalived(p: Mapping[str, Any]) -> str:
    """keepalived reads the new files where relative includes still work, with ours from a folder beside."""
    folder = "/etc/keepalived/.lbftp-check"
    main = p["main"].replace(INCLUDE_LINE, f"include {folder}/*.conf")
    writes = "\n".join(_check_write(folder, path, text) for path, text in p["files"].items())
    gone = "\n".join(_argv("rm", "-f", _moved(folder, path)) for path in p["gone"])
    return f"""
rm -rf {folder} {folder}.main
mkdir {folder} || return 1
if [ -d {INCLUDE_DIR} ]; then cp -R -p {INCLUDE_DIR}/. {folder}/ || return 1; fi
{writes}
{gone}
find {folder} -name '*.conf' -exec sed -i 's#{INCLUDE_DIR}/#{folder}/#g' {{}} + &&
printf %s {shlex.quote(main)} >{folder}.main &&
keepalived -t -f {folder}.main
result=$?
rm -rf {folder} {folder}.main
[ "$result" -eq 0 ] || echo "keepalived refused the configuration (exit code $result); nothing was changed"
return "$result"
"""


def _moved(folder: str, path: str) -> str:
    """`path` of our folder in another folder. ValueError for a path that is not ours."""
    inside = path.removeprefix(f"{INCLUDE_DIR}/")
    if inside == path or ".." in inside:
        raise ValueError(f"{path!r} is not below {INCLUDE_DIR}")
    return f"{folder}/{inside}"


def _check_write(folder: str, path: str, text: str) -> str:
    place = _moved(folder, path)
    mode = "0755" if path.endswith(".check") else "0644"
    parent, target = shlex.quote(place.rpartition("/")[0]), shlex.quote(place)
    write = f"printf %s {shlex.quote(text)} >{target} && chmod {mode} {target}"
    return f"mkdir -p {parent} && {write} || return 1"


def _write_file(p: Mapping[str, Any]) -> str:
    before = "absent" if p["before"] is None else sha256(p["before"])
    return _argv("change", p["path"], before, sha256(p["after"]), p["after"], f"{p.get('mode', 0o644):04o}")


def _unwrite_file(p: Mapping[str, Any]) -> str:
    if p["before"] is None:
        folder = shlex.quote(p["path"].rpartition("/")[0])
        empty = f"rmdir {folder} {INCLUDE_DIR}" if p["path"].startswith(f"{INCLUDE_DIR}/") else ":"
        return f"{_argv('rm', '-f', p['path'])}; {empty} 2>/dev/null || :"
    back = _argv("put", p["path"], p["before"], f"{p.get('mode', 0o644):04o}")
    return f'[ "$(digest {shlex.quote(p["path"])})" = {sha256(p["before"])} ] || {back}'


def _remove_file(p: Mapping[str, Any]) -> str:
    return _argv("discard", p["path"], sha256(p["before"]))


def _reload(p: Mapping[str, Any]) -> str:
    return " && ".join(["reload", *(f"await {_service_words(key)}" for key in p["services"])])


def _mark(key: str) -> tuple[str, bool]:
    """'fwmark 21 v6' -> ('21', True)."""
    _, mark, *six = key.split()
    return mark, bool(six)


def _service_words(key: str) -> str:
    mark, six = _mark(key)
    return _argv(mark, "-6" if six else "-s")


def _which(key: str) -> list[object]:
    """The options that name the service."""
    mark, six = _mark(key)
    return ["-f", mark, *(["-6"] if six else [])]


def _service_options(key: str, values: Mapping[str, Any]) -> list[object]:
    found = [*_which(key), "-s", values["scheduler"]]
    if values["persistence"]:
        found += ["-p", values["persistence"]]
        if values["granularity"]:
            found += ["-M", _mask(key, values["granularity"])]
    return [*found, *(["-b", ",".join(values["flags"])] if values["flags"] else [])]


def _mask(key: str, length: int) -> str:
    return str(length) if _mark(key)[1] else str(IPv4Network(f"0.0.0.0/{length:d}").netmask)


def _server_options(key: str, server: Mapping[str, Any]) -> list[object]:
    method = {"NAT": "-m", "DR": "-g", "TUN": "-i"}[server["method"]]
    limits = ["-x", server["upper"], "-y", server["lower"]]
    return [*_which(key), "-r", _place(server), method, "-w", server["weight"], *limits]


def _place(server: Mapping[str, Any]) -> str:
    address = f"[{server['address']}]" if ":" in server["address"] else server["address"]
    return f"{address}:{server['port']}"


def _add_service(p: Mapping[str, Any]) -> str:
    adds = [_argv("ipvsadm", "-a", *_server_options(p["key"], s)) for s in p["servers"]]
    add = " &&\n".join([_argv("ipvsadm", "-A", *_service_options(p["key"], p)), *adds])
    return f"service {_service_words(p['key'])} && return 0\n{add}"


def _delete_service(p: Mapping[str, Any]) -> str:
    return f"if service {_service_words(p['key'])}; then {_argv('ipvsadm', '-D', *_which(p['key']))}; fi"


def _set_server(key: str, server: Mapping[str, Any]) -> str:
    return _argv("ipvsadm", "-e", *_server_options(key, server))


def _server_gone(p: Mapping[str, Any]) -> str:
    return _argv("ipvsadm", "-d", *_which(p["key"]), "-r", _place(p["server"]))


_DO: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "load-module": _load_module,
    "reload-module": lambda p: _argv("again", p["module"]),
    "set-sysctl": lambda p: _sysctl(p["key"], p["value"]),
    "load-rules": _load_rules,
    "load-table": lambda p: _load_table(p["text"]),
    "check-keepalived": _check_keepalived,
    "write-file": _write_file,
    "remove-file": _remove_file,
    "await-group": lambda p: _argv("together", " ".join(p["vips"]), " ".join(p["floating"])),
    "reload-keepalived": _reload,
    "add-service": _add_service,
    "set-service": lambda p: _argv("ipvsadm", "-E", *_service_options(p["key"], p)),
    "set-server": lambda p: _set_server(p["key"], p["server"]),
    "delete-server": _server_gone,
    "enable-unit": lambda p: _argv("systemctl", "enable", p["unit"]),
}

_UNDO: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "load-module": _unload_module,
    "set-sysctl": lambda p: _sysctl(p["key"], p["before"]),
    "load-rules": _undo_rules,
    "load-table": lambda p: _load_table(p["undo_text"]),
    "write-file": _unwrite_file,
    "remove-file": _unwrite_file,
    "add-service": _delete_service,
    "set-service": lambda p: _argv("ipvsadm", "-E", *_service_options(p["key"], p["before"])),
    "set-server": lambda p: _set_server(p["key"], p["before"]),
    "delete-server": lambda p: _argv("ipvsadm", "-a", *_server_options(p["key"], p["server"])),
    "enable-unit": lambda p: _argv("systemctl", "disable", p["unit"]),
}


def _after(steps: Sequence[Step]) -> list[str]:
    """Modules and keepalived learn of their old files only after all of them are back."""
    found = [f"{_argv('again', s.params['module'])} || :" for s in steps if s.kind == "reload-module"]
    reloads = [s for s in steps if s.kind == "reload-keepalived"]
    if reloads:
        found.append("reload" if reloads[0].params["was_active"] else "systemctl stop keepalived")
    return found
