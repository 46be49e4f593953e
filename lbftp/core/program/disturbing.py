"""What proofs and maintenance do on a router: restart units, reboot, rest keepalived; and what undoes each."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any, Final

from lbftp.core.ours import MAINTENANCE_FILE, OWNED, RUNNING_RULES
from lbftp.core.program import guard
from lbftp.core.program.guard import Hold
from lbftp.core.program.shell import argv

_REST: Final = f"""# {OWNED} file: this router is in maintenance until the site takes the file away.
[Unit]
ConditionPathExists=!{MAINTENANCE_FILE}
"""
RESTS: Final = f"[ -e {MAINTENANCE_FILE} ] && echo yes || echo no\n"
BOOT_ID: Final = "cat /proc/sys/kernel/random/boot_id\n"
ADDRESSES: Final = "LC_ALL=C ip -o addr show\n"
FAILED_UNITS: Final = (
    "systemctl list-units --state=failed --plain --no-legend --no-pager 2>/dev/null | cut -d ' ' -f 1\n"
)
BOOT_STATE: Final = f"systemctl is-system-running 2>/dev/null || :\n{BOOT_ID}"

# The rules as they run, counters aside. Native tables each in a file of their own: those that iptables made are left to
# iptables-restore, because nft cannot read back its own listing of them.
_RULES: Final = f"""
running={RUNNING_RULES}
plain() {{ sed -e '/^#/d' -e 's/\\[[0-9]*:[0-9]*\\]//'; }}
native() {{
  grep -q '^nf_tables ' /proc/modules || return 0
  nft list tables | while read -r _ family name; do
    case "$family" in ip) save=iptables-save ;; ip6) save=ip6tables-save ;; *) save=: ;; esac
    "$save" -t "$name" 2>/dev/null | grep -q COMMIT && continue
    echo "$family $name"
  done
}}
keep() {{
  rm -rf "$running" && (umask 077 && mkdir -p "$running/native") || return 1
  iptables-save >"$running/rules" && ip6tables-save >"$running/rules6" || return 1
  native | while read -r family name; do
    nft -s list table "$family" "$name" >"$running/native/$family $name" || exit 1
  done
}}
back() {{
  failed=0
  [ -e "$running/rules" ] || {{ echo "no rules were written down here"; return 1; }}
  for pair in "iptables rules" "ip6tables rules6"; do
    set -- $pair
    [ "$("$1-save" | plain)" = "$(plain <"$running/$2")" ] && continue
    "$1-restore" --wait=10 <"$running/$2" || failed=1
  done
  for file in "$running"/native/*; do
    [ -e "$file" ] || continue
    table=${{file##*/}}
    nft -s list table $table 2>/dev/null | cmp -s - "$file" && continue
    {{ echo "table $table"; echo "delete table $table"; cat "$file"; }} | nft -f - || failed=1
  done
  return "$failed"
}}
"""


def _keep(_p: Mapping[str, Any]) -> str:
    return f"{_RULES}\nkeep"


def _back(_p: Mapping[str, Any]) -> str:
    return f"{_RULES}\nback"


def _restart_units(p: Mapping[str, Any]) -> str:
    return "\n".join(f"{argv('systemctl', 'restart', unit)} || return 1" for unit in p["units"])


def _restart_keepalived(p: Mapping[str, Any]) -> str:
    return " && ".join(["systemctl restart keepalived", *_awaited(p)])


def _start_keepalived(p: Mapping[str, Any]) -> str:
    return " && ".join(["systemctl start keepalived", "systemctl is-active keepalived", *_awaited(p)])


def _awaited(p: Mapping[str, Any]) -> list[str]:
    """The services of the kernel that keepalived brings up ('fwmark 21 v6': mark and IP version)."""
    marks = [key.split() for key in p["services"]]
    return [argv("await", mark, "-6" if six else "-s") for _, mark, *six in marks]


def _rest(_p: Mapping[str, Any]) -> str:
    """Kept from starting first, so that nothing starts it between the two."""
    return f"{argv('put', MAINTENANCE_FILE, _REST)} && systemctl daemon-reload && systemctl stop keepalived"


def _unrest(_p: Mapping[str, Any]) -> str:
    folder = shlex.quote(MAINTENANCE_FILE.rpartition("/")[0])
    gone = f"{argv('rm', '-f', MAINTENANCE_FILE)}; rmdir {folder} 2>/dev/null"
    return f"{gone}; systemctl daemon-reload && systemctl start keepalived"


def _return(p: Mapping[str, Any]) -> str:
    return " && ".join([f"{{ {_unrest(p)}\n}}", "systemctl is-active keepalived", *_awaited(p)])


def reboot(before: str, token: str, hold: Hold | None) -> str:
    """The program that reboots a router a moment later, unless it has booted anew already since it had the boot id
    `before`: twice is the same as once. The guard of `hold` waits until then, and has nothing to put back any more."""
    confirmed = guard.confirm(hold, token).removesuffix("exit 0\n") if hold else ""
    return f"""{confirmed}
[ "$(cat /proc/sys/kernel/random/boot_id)" = {shlex.quote(before)} ] || exit 0
sync
if [ -d /run/systemd/system ]; then systemd-run -q --collect --on-active=1 systemctl reboot
else (sleep 1; reboot) >/dev/null 2>&1 </dev/null & fi
"""


DISTURB: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "keep-rules": _keep,
    "put-back-rules": _back,
    "restart-units": _restart_units,
    "restart-keepalived": _restart_keepalived,
    "stop-keepalived": lambda _p: "systemctl stop keepalived",
    "start-keepalived": _start_keepalived,
    "rest-keepalived": _rest,
    "return-keepalived": _return,
}
CALM: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "restart-units": _back,
    "restart-keepalived": lambda _p: "systemctl start keepalived",
    "stop-keepalived": lambda _p: "systemctl start keepalived",
    "rest-keepalived": _unrest,
    "return-keepalived": _rest,
}
