"""The one program that looks at a router: POSIX sh, read only, one connection, one answer.

The answer is framed by lengths, so that any bytes in a file or a rule's comment come through:

    LBFTP-OBSERVED 3 NL, `wc -c` lines ("LENGTH NAME", and one named "total"), an empty line, then all contents.

A part of these, "contents", is all files of the router behind each other; "lengths" are their `wc -c` lines.

Nothing is loaded or changed by looking: ipvsadm and nft are asked only if the kernel already has what they would load.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lbftp.core.observe.beside import SYSCTL_FOLDERS
from lbftp.core.observe.checkpoints import CHECKPOINT_STATE
from lbftp.core.observe.keepalived import MAIN
from lbftp.core.ours import CHECKPOINTS, INCLUDE_DIR, INCLUDE_DIR_NAME, MODPROBE_FILE, MODULE_FILE, SYSCTL_FILE

MAGIC: Final = "LBFTP-OBSERVED 3"

SYSCTLS: Final = (
    "net.ipv4.ip_forward",
    "net.ipv6.conf.all.forwarding",
    "net.ipv4.vs.conntrack",
    "net.ipv4.vs.expire_quiescent_template",
    "net.ipv4.vs.expire_nodest_conn",
    "net.ipv4.vs.sloppy_tcp",
    "net.ipv4.ip_local_port_range",
    "net.netfilter.nf_conntrack_count",
    "net.netfilter.nf_conntrack_max",
)
UNITS: Final = (
    "keepalived.service",
    "iptables.service",
    "ip6tables.service",
    "netfilter-persistent.service",
    "nftables.service",
    "firewalld.service",
    "systemd-modules-load.service",
    "systemd-sysctl.service",
)
FILES: Final = (
    MAIN,
    MODULE_FILE,
    MODPROBE_FILE,
    SYSCTL_FILE,
    "/etc/iptables/rules.v4",
    "/etc/iptables/rules.v6",
    "/etc/sysconfig/iptables",
    "/etc/sysconfig/ip6tables",
    "/etc/nftables.conf",
    "/etc/sysconfig/nftables.conf",
)
# Files of any name that others may have put there: what keepalived may include, native tables, module options.
_FOLDERS: Final = (
    f"find /etc/keepalived -type f \\( -name '*.conf' -o -path '*/{INCLUDE_DIR_NAME}/*' \\) -size -512k",
    "find /etc/nftables.d /etc/sysconfig/nftables.d -name '*.nft' -type f -size -512k",
    "grep -ls ip_vs_ftp /etc/modprobe.d/*.conf /etc/modprobe.conf /etc/modules-load.d/*.conf /etc/modules",
)

HEAD: Final = r"""
set -u
umask 077
LC_ALL=C; export LC_ALL
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
# In memory where that may be: a full disk must not cut short what the machine says of itself.
d=$(mktemp -d -p /run 2>/dev/null || mktemp -d) || { echo 'no temporary folder can be made' >&2; exit 97; }
trap 'rm -rf "$d"' EXIT
cd "$d" || exit 97
: >status; : >ipvs; : >parameters
ask() { n=$1; shift; "$@" >"$n" 2>"$n.err" </dev/null; echo "$n $?" >>status; }
"""

# Processes are what a look costs, so all files are read by one; if one changes meanwhile, all are read again.
_FRAME: Final = rf"""
set --
while IFS= read -r path; do if [ -f "$path" ]; then set -- "$@" "$path"; fi; done <found
rm -f found
: >lengths; : >contents
tries=0
while [ $# -gt 0 ] && [ "$tries" -lt 3 ]; do
  tries=$((tries + 1))
  wc -c -- "$@" >lengths 2>/dev/null; cat -- "$@" >contents 2>/dev/null; wc -c -- "$@" >again 2>/dev/null
  if cmp -s lengths again; then break; fi
done
rm -f again
printf '%s\n' '{MAGIC}'
wc -c -- *
echo
cat -- *
"""

# Connections that are open or being opened, by VIP, real server and port: a busy router has a hundred thousand others.
_USE: Final = (
    r'$1 == "TCP" && $3 != "0000" && ($8 == "ESTABLISHED" || $8 ~ /^SYN/) { n[$4 " " $6 " " $5]++ } '
    r"END { for (k in n) print k, n[k] }"
)

_ASK: Final = rf"""
ask uid id -u
ask host uname -n
ask kernel uname -r
ask os cat /etc/os-release
ask addr ip -o addr show
ask tcp cat /proc/net/tcp
ask tcp6 cat /proc/net/tcp6
ask modules cat /proc/modules
ask iptables iptables-save
ask iptables.version iptables --version
ask iptables6 ip6tables-save
ask nft.version nft --version
if grep -q '^nf_tables ' modules; then ask nft nft -j list ruleset; fi
ask keepalived keepalived --version
ask units systemctl show -p Id,LoadState,ActiveState,UnitFileState,StateChangeTimestampMonotonic {" ".join(UNITS)}
read -r up _ </proc/uptime; printf '%s\n' "$up" >uptime
ask changed stat -c '%Z %n' uptime {MAIN} {INCLUDE_DIR}/* {INCLUDE_DIR}/*.d/*
ask journal journalctl -q -u keepalived.service -b -n 300 -o short-iso --utc --no-pager
ask rules ip rule show
ask rules6 ip -6 rule show
set -- {" ".join(f"{folder}/*.conf" for folder in SYSCTL_FOLDERS)}
printf '%s\n' "$@" >sysctl.files
ask sysctl.lines grep -HsE '^[^#;]*forward' "$@"
if [ -e /proc/net/ip_vs ]; then ask ipvs ipvsadm -Sn; fi
if [ -r /proc/net/ip_vs_conn ]; then ask use awk '{_USE}' /proc/net/ip_vs_conn; fi
ports=/sys/module/ip_vs_ftp/parameters/ports
if [ -r "$ports" ]; then read -r value <"$ports"; printf 'ip_vs_ftp.ports %s\n' "$value" >parameters; fi
{CHECKPOINT_STATE}
for place in {CHECKPOINTS}/*/; do
  if [ -e "$place/number" ]; then
    place=${{place%/}}; checkpoint_state "$place"
    printf '%s %s %s\n' "$(cat "$place/number")" "$state" "${{place##*/}}"
  fi
done >checkpoints
# Not the shell's own `read`: it takes a byte at a time, and the kernel gives a number's first byte only.
grep -s '' {" ".join(f"/proc/sys/{key.replace('.', '/')}" for key in SYSCTLS)} >sysctl
"""


def with_files(ask: str, paths: Sequence[str], folders: Sequence[str]) -> str:
    """A program that asks, and brings the files at `paths` and those that the commands `folders` name, if they exist.

    Nothing in it may come from a person: it is not quoted.
    """
    named = [f"printf '%s\\n' {' '.join(paths)}"] if paths else []
    commands = "; ".join([*named, *(f"{command} 2>/dev/null" for command in folders)])
    return f"{HEAD}{ask}\n{{ {commands}; }} | sort -u | head -n 2000 >found\n{_FRAME}"


def program() -> str:
    """The program's text. It takes no input from anybody, so there is nothing to quote."""
    return with_files(_ASK, FILES, _FOLDERS)
