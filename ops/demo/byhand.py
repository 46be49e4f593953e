"""What an administrator does on the machines by hand: look, break things, transfer a file. Over SSH, without lbftp."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from lab import api
from ops.demo import foreign
from ops.demo.scene import FTP_PASSWORD, FTP_PATH, FTP_USER, SOURCES, VIP

_T = TypeVar("_T")

# Path of the saved rules and the unit that loads them.
LAYOUT = {
    "r1": ("/etc/iptables/rules.v4", "netfilter-persistent"),
    "r2": ("/etc/sysconfig/iptables", "iptables"),
}
CURL_MODES = {
    "PASV": "--disable-epsv",
    "EPSV": "",
    "PORT": "--ftp-port - --disable-eprt",
    "EPRT": "--ftp-port - --eprt",
}


class HostError(RuntimeError):
    """A command on a machine failed."""


@dataclass(frozen=True, slots=True)
class Drift:
    """Something broken by hand. `done`: the machine let it be broken. `code`: the finding it must lead to."""

    router: str
    title: str
    code: str
    mention: str
    done: bool
    said: str = ""


def on(host: str, script: str, *, timeout: float = 60) -> str:
    """Output of a command on a machine of the lab. Raises HostError."""
    done = api.run(host, script, timeout=timeout)
    if done.returncode:
        raise HostError(
            f"{host}: {script[:80]}: status {done.returncode}: {(done.stdout + done.stderr).strip()[-400:]}"
        )
    return done.stdout


def look(router: str) -> foreign.Look:
    """Everything that was there before us."""
    return foreign.read(on(router, foreign.SCRIPT, timeout=120))


def looks() -> dict[str, foreign.Look]:
    """A look at each router."""
    return at_once(look)


def at_once(work: Callable[[str], _T]) -> dict[str, _T]:
    """`work` for both routers at the same time; what it gave by router."""
    with ThreadPoolExecutor(len(LAYOUT)) as pool:
        return dict(zip(LAYOUT, pool.map(work, LAYOUT), strict=True))


def holds_vip() -> list[str]:
    """The routers that have the VIP on an interface now."""
    shown = at_once(lambda name: on(name, "ip -o -4 address"))
    return [name for name, text in shown.items() if f" {VIP}/" in text]


def missing_from_disk(router: str) -> list[str]:
    """What would not come back after a reboot, in words; empty: all is persisted."""
    rules, unit = LAYOUT[router]
    wanted = {
        f"mark rules in {rules}": f"grep -q -- '--set-xmark 0x15' {rules}",
        f"way out in {rules}": f"grep -q -- '-j MASQUERADE' {rules} && grep -q LBFTP-ftp {rules}",
        "helper in modules-load.d": "grep -qx ip_vs_ftp /etc/modules-load.d/ip_vs_ftp.conf",
        "forwarding in sysctl.d": "grep -qE '^net.ipv4.ip_forward *= *1' /etc/sysctl.d/*.conf",
        "service in keepalived's folder": "grep -q 'virtual_server fwmark 21' /etc/keepalived/lbftp.d/ftp.conf",
        "include in keepalived.conf": "grep -q 'include /etc/keepalived/lbftp.d/' /etc/keepalived/keepalived.conf",
        "keepalived enabled and running": "systemctl -q is-enabled keepalived && systemctl -q is-active keepalived",
        f"{unit} enabled": f"systemctl -q is-enabled {unit}",
    }
    script = "".join(f"if {check}; then :; else echo {shlex.quote(what)}; fi\n" for what, check in wanted.items())
    return on(router, script).splitlines()


def transfers(patience: int = 30) -> list[str]:
    """The file fetched through the VIP in each mode with curl, which knows nothing of lbftp; a line a failure."""
    calls = [_curl(mode, SOURCES[number], patience) for number, mode in enumerate(CURL_MODES)]
    # All at the same time, as clients do it.
    return on("client", "\n".join(f"({call}) &" for call in calls) + "\nwait\n", timeout=patience + 60).splitlines()


def _curl(mode: str, source: str, patience: int) -> str:
    active = CURL_MODES[mode].replace("--ftp-port -", f"--ftp-port {source}")
    got = f"/root/got-{mode}"
    fetch = (
        f"curl -sS --max-time {patience} --interface {source} {active} -u {FTP_USER}:{FTP_PASSWORD}"
        f" ftp://{VIP}/{FTP_PATH} -o {got} 2>&1"
    )
    return f"rm -f {got}; said=$({fetch}) && test -s {got} || echo {mode}: $said"


def break_things(master: str, backup: str) -> list[Drift]:
    """Drift as people cause it. The module goes only where nothing holds it."""
    plans = [
        (master, "a mark rule deleted", "chain", "mark rule", "iptables -t mangle -D LBFTP-ftp 1"),
        (master, "the virtual service removed", "service-missing", "virtual service", "ipvsadm -D -f 21"),
        (backup, "ip_forward switched off", "sysctl", "ip_forward", "sysctl -qw net.ipv4.ip_forward=0"),
        (backup, "the helper module unloaded", "module", "ip_vs_ftp", "modprobe -r ip_vs_ftp"),
    ]
    found = []
    for router, title, code, mention, script in plans:
        done = api.run(router, script)
        said = (done.stdout + done.stderr).strip()
        found.append(Drift(router, f"{router}: {title}", code, mention, done.returncode == 0, said))
    return found
