"""Ways to break a cluster that works, one at a time: how, what has to be found, who is to blame, and how it is mended.

The pair holds the guide's cluster; r1 (Debian's layout) is master, r2 (Red Hat's layout, dropping filters) its backup.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

EVERY: Final = frozenset({"PASV", "EPSV", "PORT", "EPRT"})
ACTIVE: Final = frozenset({"PORT", "EPRT"})
NONE: Final[frozenset[str]] = frozenset()

_MARK: Final = "-d 192.0.2.100/32 -p tcp -m tcp --dport"
_LIFTED: Final = "-j MARK --set-xmark 0x15/0xffffffff"
_SERVICE: Final = (
    "ipvsadm -A -f 21 -s wlc -p 360 && ipvsadm -a -f 21 -r 10.0.50.11:0 -m -w 1 && "
    "ipvsadm -a -f 21 -r 10.0.50.12:0 -m -w 1"
)
# A router's health check tries three times, ten seconds apart at most.
_NOTICED: Final = "for i in $(seq 70); do ipvsadm -Ln | grep -q '{address}:0 ' || exit 0; sleep 1; done; exit 1"
_BACK: Final = "for i in $(seq 70); do ip -o addr show | grep -q '192.0.2.100/' && exit 0; sleep 1; done; exit 1"


@dataclass(frozen=True, slots=True)
class Case:
    """`found` are (router, code) that have to be there; `may` are codes of consequences that may be there as well.

    `words` are in what a finding of the first code says. `fails` are the modes whose sessions fail (None: not certain,
    such as by which router a packet happens to be taken). `says` is in the explanation of why. `first` and `then` are
    more scripts by host: what to wait for after breaking, and after mending.
    """

    name: str
    host: str
    breaks: str
    mends: str
    found: tuple[tuple[str, str], ...]
    words: str = ""
    fails: frozenset[str] | None = NONE
    says: str = ""
    may: frozenset[str] = frozenset({"mode-fails"})
    first: tuple[tuple[str, str], ...] = ()
    then: tuple[tuple[str, str], ...] = ()


def _rule(name: str, host: str, table: str, rule: str, *found: str, **more: Any) -> Case:
    """A rule of others is put in: `rule` is 'CHAIN NUMBER SPECIFICATION'."""
    chain, number, text = rule.split(" ", 2)
    codes = tuple((host, code) for code in found)
    breaks = f"iptables -w 10 -t {table} -I {chain} {number} {text}"
    return Case(name, host, breaks, f"iptables -w 10 -t {table} -D {chain} {text}", codes, **more)


def _file(name: str, host: str, path: str, edit: str, *found: str, **more: Any) -> Case:
    """A file is edited by the command `edit`, in which $f is its path."""
    kept = f"f={path}; cp -p $f /root/kept && {edit}"
    codes = tuple((host, code) for code in found)
    return Case(name, host, kept, f"cp -p /root/kept {path}", codes, **more)


RUNNING: Final = (
    Case(
        "the helper module is unloaded", "r1",
        "for i in $(seq 90); do modprobe -r ip_vs_ftp && exit 0; sleep 2; done; exit 1", "modprobe ip_vs_ftp",
        (("r1", "module"),), "private address", frozenset({"PASV"}), "ip_vs_ftp",
    ),
    Case(
        "forwarding is switched off", "r1", "sysctl -qw net.ipv4.ip_forward=0", "sysctl -qw net.ipv4.ip_forward=1",
        (("r1", "sysctl"),), "nothing is forwarded", EVERY, "ip_forward",
    ),
    Case(
        "the mark rule of the control port is gone", "r1", f"iptables -t mangle -D LBFTP-ftp {_MARK} 21 {_LIFTED}",
        f"iptables -t mangle -I LBFTP-ftp 1 {_MARK} 21 {_LIFTED}",
        (("r1", "chain"),), "the mark rule is missing", EVERY, "mark",
    ),
    Case(
        "the mark rule of the passive range is gone", "r1",
        f"iptables -t mangle -D LBFTP-ftp {_MARK} 10000:20000 {_LIFTED}",
        f"iptables -t mangle -A LBFTP-ftp {_MARK} 10000:20000 {_LIFTED}",
        # The helper prepares the way of what it rewrites, so that sessions go on.
        (("r1", "chain"),), "the mark rule is missing",
    ),
    Case(
        "the mark rule covers a part of the passive range", "r1",
        f"iptables -t mangle -R LBFTP-ftp 2 {_MARK} 10000:10100 {_LIFTED}",
        f"iptables -t mangle -R LBFTP-ftp 2 {_MARK} 10000:20000 {_LIFTED}",
        (("r1", "chain"),), "the mark rule is missing", None, "mark",
    ),
    Case(
        "the control port gets another mark", "r1",
        f"iptables -t mangle -R LBFTP-ftp 1 {_MARK} 21 -j MARK --set-xmark 0x16/0xffffffff",
        f"iptables -t mangle -R LBFTP-ftp 1 {_MARK} 21 {_LIFTED}",
        (("r1", "chain"),), "the mark rule is missing", EVERY, "mark",
    ),
    Case(
        "nothing jumps to the mark rules any more", "r1", "iptables -t mangle -D PREROUTING -j LBFTP-ftp",
        "iptables -t mangle -I PREROUTING 1 -j LBFTP-ftp", (("r1", "jump"),), "PREROUTING", EVERY, "mark",
    ),
    Case(
        "the masquerade rule is gone", "r1",
        "iptables -t nat -D LBFTP-ftp -s 10.0.50.0/24 -p tcp -m tcp --sport 20 -j MASQUERADE",
        "iptables -t nat -A LBFTP-ftp -s 10.0.50.0/24 -p tcp -m tcp --sport 20 -j MASQUERADE",
        (("r1", "chain"),), "lets active mode out", None,
    ),
    Case(
        "the filter's policy for forwarding becomes DROP", "r1", "iptables -P FORWARD DROP", "iptables -P FORWARD ACCEPT",
        (("r1", "chain"),), "accept", EVERY, "FORWARD", frozenset({"mode-fails", "jump", "saved-rules"}),
    ),
    Case(
        "the accepts of active mode are gone from a dropping filter", "r2",
        "iptables -D LBFTP-ftp-fw -s 10.0.50.0/24 -p tcp -m tcp --sport 20 -j ACCEPT",
        "iptables -I LBFTP-ftp-fw 1 -s 10.0.50.0/24 -p tcp -m tcp --sport 20 -j ACCEPT",
        (("r2", "chain"), ("r2", "mode-fails")), "the accept is missing",
    ),
)  # fmt: skip

FOREIGN: Final = (
    _rule(
        "a rule of others drops the control port", "r1", "filter", "INPUT 1 -d 192.0.2.100/32 -p tcp --dport 21 -j DROP",
        "rule-drops", words="INPUT", fails=EVERY, says="INPUT",
    ),
    _rule(
        "a rule of others drops active mode, on the backup", "r2", "filter",
        "FORWARD 1 -s 10.0.50.0/24 -p tcp --sport 20 -j DROP", "rule-drops", words="FORWARD",
    ),
    _rule(
        "a rule of others accepts the packets before they are marked", "r1", "mangle",
        "PREROUTING 1 -d 192.0.2.100/32 -p tcp -j ACCEPT", "rule-takes-first", words="before they get the mark",
        fails=EVERY, says="mark",
    ),
    _rule(
        "a rule of others marks the packets after ours", "r1", "mangle",
        "PREROUTING 2 -d 192.0.2.100/32 -p tcp -j MARK --set-xmark 0x63/0xffffffff", "rule-marks-over",
        words="another mark", fails=EVERY, says="mark",
    ),
    _rule(
        "a rule of others sends the control port elsewhere", "r1", "nat",
        "PREROUTING 1 -d 192.0.2.100/32 -p tcp --dport 21 -j DNAT --to-destination 10.0.50.11", "rule-redirects",
        words="elsewhere", fails=None, says="nat PREROUTING",
    ),
    _rule(
        "a rule of others takes FTP out of connection tracking", "r1", "raw",
        "PREROUTING 1 -d 192.0.2.100/32 -p tcp -j CT --notrack", "rule-untracks", words="connection tracking", fails=None,
    ),
    _rule(
        "a rule of others decides on active mode's source before ours", "r1", "nat",
        "POSTROUTING 1 -s 10.0.50.0/24 -o pub0 -j SNAT --to-source 192.0.2.2", "rule-takes-source", words="before ours",
        fails=None,
    ),
    Case(
        "a routing rule uses the cluster's mark", "r1", "ip rule add fwmark 0x15 lookup main pref 100",
        "ip rule del fwmark 0x15 lookup main pref 100", (("r1", "mark-routed"),), "mark 21",
    ),
    Case(
        "the connection tracking table is nearly full", "r1",
        "bash -c 'for i in $(seq 400); do echo > /dev/udp/10.0.50.11/$((40000+i)); done' 2>/dev/null; cd /proc/sys/net/netfilter;"
        " cat nf_conntrack_max > /root/kept.max; echo $(($(cat nf_conntrack_count) * 100 / 88)) > nf_conntrack_max",
        "cat /root/kept.max > /proc/sys/net/netfilter/nf_conntrack_max",
        (("r1", "conntrack-filling"),), "connection tracking table",
    ),
)  # fmt: skip

KERNEL: Final = (
    Case(
        "a real server is taken out of IPVS by hand", "r1", "ipvsadm -d -f 21 -r 10.0.50.12:0",
        "ipvsadm -a -f 21 -r 10.0.50.12:0 -m -w 1", (("r1", "destination-removed"),), "past keepalived",
    ),
    Case(
        "a real server's weight is changed by hand", "r1", "ipvsadm -e -f 21 -r 10.0.50.11:0 -m -w 5",
        "ipvsadm -e -f 21 -r 10.0.50.11:0 -m -w 1", (("r1", "destination-weight"),), "another weight",
    ),
    Case(
        "a machine that is no real server gets clients", "r1", "ipvsadm -a -f 21 -r 10.0.50.99:0 -m -w 1",
        "ipvsadm -d -f 21 -r 10.0.50.99:0", (("r1", "destination-unknown"),), "no real server of the cluster", None,
    ),
    Case(
        "scheduler and persistence are changed by hand, on the backup", "r2", "ipvsadm -E -f 21 -s rr -p 60",
        "ipvsadm -E -f 21 -s wlc -p 360", (("r2", "service-settings"),), "other settings",
    ),
    Case(
        "the virtual service is gone from the kernel", "r1", "ipvsadm -D -f 21", _SERVICE, (("r1", "service-missing"),),
        "every mode fails", EVERY, "service",
    ),
)  # fmt: skip

PAIR: Final = (
    Case(
        "keepalived is stopped on the master", "r1", "systemctl stop keepalived", "systemctl start keepalived",
        (("r1", "keepalived-stopped"), ("r1", "service-missing")), "not running", first=(("r2", _BACK),),
        then=(("r1", _BACK),),
    ),
    Case(
        "keepalived is stopped on the backup", "r2", "systemctl stop keepalived", "systemctl start keepalived",
        (("r2", "keepalived-stopped"), ("r2", "service-missing")), "not running",
    ),
    Case(
        "the backup does not hear the master: two masters", "r2", "iptables -I INPUT 1 -p vrrp -j DROP",
        "iptables -D INPUT -p vrrp -j DROP", (("", "two-masters"),), "is held by r1, r2", None, "both hold",
        first=(("r2", _BACK),), then=(("r1", "sleep 8"),),
    ),
    Case(
        "the priorities are planned otherwise than they are in force", "r2",
        "cd /etc/keepalived/lbftp.d && cp -p ftp.conf /root/kept && sed -i 's/priority 100/priority 90/' ftp.conf && "
        "systemctl reload keepalived && sleep 4 && cp -p /root/kept ftp.conf",
        "systemctl reload keepalived && sleep 3", (("r2", "keepalived-late"),), "after keepalived last read it",
    ),
    _file(
        "a priority is edited by hand and not yet read", "r1", "/etc/keepalived/lbftp.d/ftp.conf",
        "sed -i 's/priority 150/priority 90/' $f", "keepalived-file", words="not as wanted",
        then=(("r1", "sleep 2 && systemctl reload keepalived && sleep 2"),),
    ),
    _file(
        "keepalived.conf includes the cluster no more", "r2", "/etc/keepalived/keepalived.conf",
        "sed -i '/lbftp.d/d' $f", "keepalived-include", words="forgets the cluster",
        then=(("r2", "sleep 2 && systemctl reload keepalived && sleep 2"),),
    ),
    Case(
        "one router's health check does not get through", "r1", "iptables -I OUTPUT 1 -d 10.0.50.12 -p icmp -j DROP; "
        "iptables -I OUTPUT 2 -s 10.0.50.2 -d 10.0.50.12 -p tcp --dport 21 -j REJECT",
        "iptables -D OUTPUT -d 10.0.50.12 -p icmp -j DROP; "
        "iptables -D OUTPUT -s 10.0.50.2 -d 10.0.50.12 -p tcp --dport 21 -j REJECT",
        (("r1", "health-differs"), ("r1", "destination-down")), "not the server that fails",
        first=(("r1", _NOTICED.format(address="10.0.50.12")),),
    ),
)  # fmt: skip

SAVED: Final = (
    _file(
        "the saved rules lack the cluster's", "r1", "/etc/iptables/rules.v4", "sed -i /LBFTP/d $f", "saved-rules",
        words="after a reboot", may=frozenset({"saved-rules"}),
    ),
    _file(
        "a rule of others in the saved file wins after a reboot", "r2", "/etc/sysconfig/iptables",
        r"sed -i '0,/^-A INPUT/s//-A INPUT -d 192.0.2.100\/32 -p tcp -j DROP\n&/' $f", "saved-rule-wins",
        words="After a reboot", may=frozenset({"saved-rules"}),
    ),
    _file(
        "the helper is not loaded at boot", "r2", "/etc/modules-load.d/ip_vs_ftp.conf", "rm $f", "module-file",
        words="after a reboot PASV fails",
    ),
    _file("forwarding is not switched on at boot", "r1", "/etc/sysctl.d/90-lbftp.conf", "echo > $f", "sysctl-file",
          words="after a reboot nothing is forwarded"),
    Case(
        "a later sysctl file switches forwarding off at boot", "r1",
        "echo net.ipv4.ip_forward=0 > /etc/sysctl.d/99-hardening.conf", "rm /etc/sysctl.d/99-hardening.conf",
        (("r1", "sysctl-overridden"),), "99-hardening.conf",
    ),
    Case(
        "the helper is on a blacklist", "r2", "echo blacklist ip_vs_ftp > /etc/modprobe.d/hardening.conf",
        "rm /etc/modprobe.d/hardening.conf", (("r2", "module-blocked"),), "hardening.conf",
    ),
    Case(
        "the saved rules are not loaded at boot", "r1", "systemctl -q disable netfilter-persistent",
        "systemctl -q enable netfilter-persistent", (("r1", "unit-disabled"),), "the cluster's rules are gone",
    ),
    Case(
        "keepalived does not start at boot", "r2", "systemctl -q disable keepalived", "systemctl -q enable keepalived",
        (("r2", "unit-disabled"),), "no VRRP",
    ),
    Case(
        "keepalived is masked", "r2", "systemctl -q mask keepalived", "systemctl -q unmask keepalived",
        (("r2", "unit-masked"),), "masked",
    ),
)  # fmt: skip

_RESTART: Final = "systemctl restart vsftpd"


def _server(name: str, host: str, edit: str, fails: frozenset[str], says: str, **more: Any) -> Case:
    """vsftpd.conf is edited by the command `edit`, in which $f is its path."""
    breaks = f"f=/etc/vsftpd.conf; cp -p $f /etc/vsftpd.kept && {edit} && {_RESTART}"
    mends = f"cp -p /etc/vsftpd.kept /etc/vsftpd.conf && rm /etc/vsftpd.kept && {_RESTART}"
    return Case(name, host, breaks, mends, fails=fails, says=says, **{"found": (), **more})


SERVERS: Final = (
    _server("a real server names the VIP itself (pasv_address)", "ftp2", "echo pasv_address=192.0.2.100 >> $f",
            frozenset({"PASV"}), "pasv_address"),
    _server("the passive range differs on one real server", "ftp2",
            "sed -i 's/=10000/=30000/; s/=20000/=31000/' $f", NONE, "", found=(("ftp2", "passive-outside"),),
            words="outside the cluster's range"),
    _server("a real server does not connect from port 20", "ftp1", "sed -i /connect_from_port_20/d $f", ACTIVE, "20"),
    _server("a real server refuses passive mode", "ftp2", "echo pasv_enable=NO >> $f", frozenset({"PASV", "EPSV"}),
            "passive"),
    Case(
        "the FTP server is stopped on one machine", "ftp1", "systemctl stop vsftpd", "systemctl start vsftpd",
        (("r1", "destination-down"), ("r2", "destination-down")), "health check",
        first=tuple((router, _NOTICED.format(address="10.0.50.11")) for router in ("r1", "r2")),
    ),
    Case(
        "a real server's default route is gone", "ftp1", "ip route show default > /run/kept.ftp1 && ip route del default",
        "ip route add $(cat /run/kept.ftp1)", (), "", EVERY, "default route",
    ),
    Case(
        "the account's password is another one on one real server", "ftp2",
        "cp -p /etc/shadow /etc/shadow.kept && echo ftpuser:another-one | chpasswd",
        "cp -p /etc/shadow.kept /etc/shadow && rm /etc/shadow.kept", (), "", EVERY, "log-in",
    ),
    Case(
        "the file is not there on one real server", "ftp2", "mv /home/ftpuser/probe.bin /home/ftpuser/gone.bin",
        "mv /home/ftpuser/gone.bin /home/ftpuser/probe.bin", (), "", EVERY, "file",
    ),
    Case(
        "the disk of one real server is full", "ftp1",
        "cp -p /home/ftpuser/probe.bin /run/kept.bin && p=$(systemctl show -p MainPID --value vsftpd) && "
        "nsenter -t $p -m sh -c 'mount -t tmpfs -o size=3m,mode=777 full /home/ftpuser && "
        "cp -p /run/kept.bin /home/ftpuser/probe.bin && ! cat /dev/zero > /home/ftpuser/filler 2>/dev/null'",
        "p=$(systemctl show -p MainPID --value vsftpd) && nsenter -t $p -m umount /home/ftpuser",
        (), "", EVERY, "full",
    ),
)  # fmt: skip

CASES: Final = (*RUNNING, *FOREIGN, *KERNEL, *PAIR, *SAVED, *SERVERS)
# A fair sample: what runs, others' rules, the kernel's table.
SAMPLE: Final = (RUNNING[2], FOREIGN[2], KERNEL[0])
