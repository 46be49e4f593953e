"""The one program that looks at a router: POSIX sh, read only, one connection, one answer.

The answer is framed by lengths, so that any bytes in a file or a rule's comment come through:

    LBFTP-OBSERVED 1 NL, `wc -c` lines ("LENGTH NAME", and one named "total"), an empty line, then all contents.

Nothing is loaded or changed by looking: ipvsadm is asked only if the kernel already has IPVS, because it would load it.
"""

from __future__ import annotations

from typing import Final

from lbftp.core.observe.keepalived import INCLUDE_DIR, MAIN

MAGIC: Final = "LBFTP-OBSERVED 1"

MODULE_FILE: Final = "/etc/modules-load.d/ip_vs_ftp.conf"
SYSCTL_FILE: Final = "/etc/sysctl.d/90-lbftp.conf"
SYSCTLS: Final = ("net.ipv4.ip_forward", "net.ipv4.vs.conntrack")
UNITS: Final = (
    "keepalived.service",
    "iptables.service",
    "netfilter-persistent.service",
    "nftables.service",
    "firewalld.service",
    "systemd-modules-load.service",
    "systemd-sysctl.service",
)
FILES: Final = (MAIN, MODULE_FILE, SYSCTL_FILE, "/etc/iptables/rules.v4", "/etc/sysconfig/iptables")

_HEAD: Final = r"""
set -u
umask 077
LC_ALL=C; export LC_ALL
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
d=$(mktemp -d) || { echo 'no temporary folder can be made' >&2; exit 97; }
trap 'rm -rf "$d"' EXIT
cd "$d" || exit 97
: >status; : >names; : >ipvs
ask() { n=$1; shift; "$@" >"$n" 2>"$n.err" </dev/null; echo "$n $?" >>status; }
file() { if [ -f "$2" ]; then cat "$2" >"file.$1" && echo "$1 $2" >>names; fi; }
"""

_ASK: Final = rf"""
ask uid id -u
ask host uname -n
ask kernel uname -r
ask os cat /etc/os-release
ask addr ip -o -4 addr show
ask tcp cat /proc/net/tcp
ask modules cat /proc/modules
ask iptables iptables-save
ask iptables.version iptables --version
ask keepalived keepalived --version
ask units systemctl show -p Id,LoadState,ActiveState,UnitFileState {" ".join(UNITS)}
if [ -e /proc/net/ip_vs ]; then ask ipvs ipvsadm -Sn; fi
for key in {" ".join(SYSCTLS)}; do
  path=/proc/sys/$(printf %s "$key" | tr . /)
  if [ -r "$path" ]; then read -r value <"$path"; printf '%s %s\n' "$key" "$value"; fi
done >sysctl
"""

_TAIL: Final = rf"""
i=100
for path in {INCLUDE_DIR}/*.conf; do file "$i" "$path"; i=$((i + 1)); done
printf '%s\n' '{MAGIC}'
wc -c -- *
echo
cat -- *
"""


def program() -> str:
    """The program's text. It takes no input from anybody, so there is nothing to quote."""
    files = "".join(f"file {number} {path}\n" for number, path in enumerate(FILES))
    return _HEAD + _ASK + files + _TAIL
