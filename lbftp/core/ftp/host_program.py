"""The one program that looks at an FTP server's machine: POSIX sh, read only, one connection, one
answer.

The answer is framed like a router's (`observe.program`). Which daemon runs is told by the sockets
that listen and by the processes behind them, so that it does not matter who started it; units are
asked beside.
"""

from __future__ import annotations

from typing import Final

from lbftp.core.ftp.daemons import DAEMONS, names
from lbftp.core.observe.program import with_files

# Files that a daemon was started with, wherever they are.
_NAMED: Final = "sed -n 's/.* \\(\\/[^ ]*\\.conf\\) .*/\\1/p' processes"
_SYSCTLS: Final = "arp_ignore arp_announce rp_filter"

_ASK: Final = r"""
ask uid id -u
ask host uname -n
ask kernel uname -r
ask os cat /etc/os-release
ask addr ip -o addr show
ask route ip -4 route show default
ask route6 ip -6 route show default
ask disk df -Pk / /home /srv /var
ask listening ss -Htlnp
for name in DAEMONS; do
  printf '%s %s\n' "$name" "$(systemctl is-active "$name.service" 2>/dev/null)"
done >units
sed -n 's/.*(("\(PATTERN\)[^"]*",pid=\([0-9]*\),.*/\1 \2/p' listening | sort -u >found
while read -r name pid; do
  unit=$(sed -n 's#.*/\([^/]*\.service\)$#\1#p' "/proc/$pid/cgroup" 2>/dev/null | head -n 1)
  enabled=
  if [ -n "$unit" ]; then
    enabled=$(systemctl is-enabled "$unit" 2>/dev/null)
    printf '%s %s\n' "$unit" "$(systemctl show -p CanReload "$unit" 2>/dev/null)" >>reloads
  fi
  command=$(tr '\0\n' '  ' <"/proc/$pid/cmdline" | cut -c1-500)
  printf '%s %s %s %s %s \n' "$name" "$pid" "${unit:--}" "${enabled:--}" "$command"
done <found >processes
for path in /proc/sys/net/ipv4/conf/*; do
  for key in SYSCTLS; do
    if [ -r "$path/$key" ]; then read -r value <"$path/$key"; printf '%s.%s %s\n' "${path##*/}" "$key" "$value"; fi
  done
done >sysctl
"""


def program() -> str:
    """The program's text. It takes no input from anybody, so there is nothing to quote."""
    known = names()
    ask = _ASK.replace("DAEMONS", " ".join(known)).replace("PATTERN", r"\|".join(known)).replace("SYSCTLS", _SYSCTLS)
    found_by = [command for daemon in DAEMONS for command in daemon.found_by]
    return with_files(ask, (), (*found_by, _NAMED))
