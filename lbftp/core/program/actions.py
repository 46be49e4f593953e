"""What each kind of step does on a router, and what undoes it. The only place that turns parameters into commands."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network
from typing import Any, Final

from lbftp.core.ours import INCLUDE_DIR, INCLUDE_LINE, KEEPALIVED_TRIAL
from lbftp.core.program.disturbing import CALM, DISTURB
from lbftp.core.program.shell import argv
from lbftp.core.steps import sha256


def _load_module(p: Mapping[str, Any]) -> str:
    return argv("modprobe", p["module"])


def _unload_module(p: Mapping[str, Any]) -> str:
    # A module in use stays; that is no reason to call the restoration failed, because nothing relies on its absence.
    return f"{argv('modprobe', '-r', p['module'])} 2>/dev/null || :"


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
    folder = KEEPALIVED_TRIAL
    main = p["main"].replace(INCLUDE_LINE, f"include {folder}/*.conf")
    writes = "\n".join(_check_write(folder, path, text) for path, text in p["files"].items())
    gone = "\n".join(argv("rm", "-f", _moved(folder, path)) for path in p["gone"])
    return f"""
rm -rf {folder} {folder}.main
mkdir {folder} || return 1
if [ -d {INCLUDE_DIR} ]; then cp -R -p {INCLUDE_DIR}/. {folder}/ || return 1; fi
{writes}
{gone}
find {folder} -name '*.conf' -exec sed -i 's#{INCLUDE_DIR}/#{folder}/#g' {{}} + &&
printf %s {shlex.quote(main)} >{folder}.main &&
said=$(keepalived -t -f {folder}.main 2>&1)
result=$?
rm -rf {folder} {folder}.main
said=$(printf '%s\n' "$said" | sed 's#{folder}.main#/etc/keepalived/keepalived.conf#g; s#{folder}/#{INCLUDE_DIR}/#g')
printf '%s\n' "$said"
[ "$result" -eq 0 ] || echo "keepalived refused the configuration (exit code $result)" \
    "$(printf '%s\n' "$said" | grep -m 1 '^(/.*Line' || printf '%s\n' "$said" | tail -n 1)"
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
    return argv("change", p["path"], before, sha256(p["after"]), p["after"], f"{p.get('mode', 0o644):04o}")


def _unwrite_file(p: Mapping[str, Any]) -> str:
    if p["before"] is None:
        folder = shlex.quote(p["path"].rpartition("/")[0])
        empty = f"rmdir {folder} {INCLUDE_DIR}" if p["path"].startswith(f"{INCLUDE_DIR}/") else ":"
        return f"{argv('rm', '-f', p['path'])}; {empty} 2>/dev/null || :"
    back = argv("back", p["path"], p["before"], f"{p.get('mode', 0o644):04o}")
    return f'[ "$(digest {shlex.quote(p["path"])})" = {sha256(p["before"])} ] || {back}'


def _remove_file(p: Mapping[str, Any]) -> str:
    gone = argv("discard", p["path"], sha256(p["before"]))
    if not p["path"].startswith(f"{INCLUDE_DIR}/"):
        return gone
    folder = shlex.quote(p["path"].rpartition("/")[0])
    return f"{gone} && {{ rmdir {folder} {INCLUDE_DIR} 2>/dev/null || :; }}"


def _reload(p: Mapping[str, Any]) -> str:
    if p.get("stop"):
        return argv("systemctl", "stop", "keepalived")
    return " && ".join(["reload", *(f"await {_service_words(key)}" for key in p["services"])])


def _mark(key: str) -> tuple[str, bool]:
    """'fwmark 21 v6' -> ('21', True)."""
    _, mark, *six = key.split()
    return mark, bool(six)


def _service_words(key: str) -> str:
    mark, six = _mark(key)
    return argv(mark, "-6" if six else "-s")


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
    adds = [argv("ipvsadm", "-a", *_server_options(p["key"], s)) for s in p["servers"]]
    add = " &&\n".join([argv("ipvsadm", "-A", *_service_options(p["key"], p)), *adds])
    return f"service {_service_words(p['key'])} && return 0\n{add}"


def _delete_service(p: Mapping[str, Any]) -> str:
    return f"if service {_service_words(p['key'])}; then {argv('ipvsadm', '-D', *_which(p['key']))}; fi"


def _set_server(key: str, server: Mapping[str, Any]) -> str:
    return argv("ipvsadm", "-e", *_server_options(key, server))


def _server_there(p: Mapping[str, Any]) -> str:
    return argv("ipvsadm", "-a", *_server_options(p["key"], p["server"]))


def _server_gone(p: Mapping[str, Any]) -> str:
    return argv("ipvsadm", "-d", *_which(p["key"]), "-r", _place(p["server"]))


DO: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "load-module": _load_module,
    "unload-module": _unload_module,
    "reload-module": lambda p: argv("again", p["module"]),
    "set-sysctl": lambda p: _sysctl(p["key"], p["value"]),
    "load-rules": _load_rules,
    "load-table": lambda p: _load_table(p["text"]),
    "check-keepalived": _check_keepalived,
    "write-file": _write_file,
    "remove-file": _remove_file,
    "await-group": lambda p: argv("together", " ".join(p["vips"]), " ".join(p["floating"])),
    "reload-keepalived": _reload,
    "add-service": _add_service,
    "set-service": lambda p: argv("ipvsadm", "-E", *_service_options(p["key"], p)),
    "set-server": lambda p: _set_server(p["key"], p["server"]),
    "add-server": _server_there,
    "delete-server": _server_gone,
    "enable-unit": lambda p: argv("systemctl", "enable", p["unit"]),
    **DISTURB,
    "disable-unit": lambda p: argv("systemctl", "disable", p["unit"]),
}

UNDO: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "load-module": _unload_module,
    "unload-module": _load_module,
    "set-sysctl": lambda p: _sysctl(p["key"], p["before"]),
    "load-rules": _undo_rules,
    "load-table": lambda p: _load_table(p["undo_text"]),
    "write-file": _unwrite_file,
    "remove-file": _unwrite_file,
    "add-service": _delete_service,
    "set-service": lambda p: argv("ipvsadm", "-E", *_service_options(p["key"], p["before"])),
    "set-server": lambda p: _set_server(p["key"], p["before"]),
    "add-server": _server_gone,
    "delete-server": _server_there,
    "enable-unit": lambda p: argv("systemctl", "disable", p["unit"]),
    **CALM,
    "disable-unit": lambda p: argv("systemctl", "enable", p["unit"]),
}
