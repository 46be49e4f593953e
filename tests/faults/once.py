"""Faults that are tried once each: what is done to the routers, when, and what has to come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.faults import series
from tests.faults.chain import EITHER
from tests.faults.faults import Place
from tests.workers.conftest import Bench

Deed = Callable[[Bench], None]
FILLER: Final = "/var/lib/filler"


def _nothing(_bench: Bench) -> None:
    """Nothing is to be done."""


@dataclass(frozen=True, slots=True)
class Once:
    """A case. `broken` is done before the plan is made, `then` between plan and apply, `strike` when `place` is done,
    `healed` when the run has ended, `mended` when the routers were judged and before the next apply. `ends` is what both
    routers may hold after, `says` a part of the run's last sentence or of its events."""

    name: str
    ends: frozenset[str]
    says: str = ""
    place: Place | None = None
    strike: Deed = _nothing
    broken: Deed = _nothing
    then: Deed = _nothing
    healed: Deed = _nothing
    mended: Deed = _nothing
    booted: bool = False
    job: Callable[[Bench], dict[str, Any]] = lambda _bench: {}

    @property
    def when(self) -> str:
        """As the table says it."""
        if self.place is None:
            return "before the apply"
        return f"after {self.place[0] or 'both'}: {self.place[1]}"


def on(router: str, script: str) -> Deed:
    def deed(bench: Bench) -> None:
        bench.sh(router, script)

    return deed


def both(script: str) -> Deed:
    def deed(bench: Bench) -> None:
        bench.both(script)

    return deed


def _by_admin(bench: Bench) -> dict[str, Any]:
    return {"routers": tuple(bench.access(name, username="admin", sudo=True) for name in ("r1", "r2"))}


def _other_manager(bench: Bench) -> None:
    """Another manager, with a database of its own, comes with the same plan; it has to be told to wait."""
    other = Bench(bench.hosts)
    outcome = other.apply(owner="elsewhere", run_id=33)
    assert outcome.state == "failed", outcome.text
    assert "has been working on this router" in outcome.text, outcome.text


def _without_reload(bench: Bench) -> None:
    """keepalived of r1 dies instead of reading its files again."""
    folder = "/run/systemd/system/keepalived.service.d"
    words = "[Service]\\nExecReload=\\nExecReload=/bin/kill -KILL \\$MAINPID\\nRestart=no\\n"
    bench.sh("r1", f'mkdir -p {folder} && printf "{words}" >{folder}/dies.conf && systemctl daemon-reload')


def _clocks(bench: Bench) -> None:
    bench.sh("r1", "date -s '+1 year'")
    bench.sh("r2", "date -s '-1 year'")


OLD: Final = frozenset({"old"})
NEW: Final = frozenset({"new"})

_CUT: Final = "systemd-run -q sh -c 'sleep 1; echo b >/proc/sysrq-trigger'"
_FILL: Final = f"""
n=0
for size in 512M 64M 8M 1M 64K 4K; do while fallocate -l $size {FILLER}.$n 2>/dev/null; do n=$((n + 1)); done; done
sync; ! echo more >{FILLER}.last
"""
_EMPTY: Final = f"rm -f {FILLER}.*"
_READ_ONLY: Final = "mount --bind /etc /etc && mount -o remount,ro,bind /etc"
# Whoever has something open there does not stand in the way.
_WRITABLE: Final = "mount -o remount,rw,bind /etc && umount -l /etc"
# Without its file systemd would make the unit from its init script; masked it is gone.
_UNIT: Final = "netfilter-persistent.service"
_KEEPALIVED: Final = "/etc/keepalived/keepalived.conf"
_MODULE: Final = 'place=$(modinfo -n ip_vs_ftp); modprobe -rq ip_vs_ftp; echo "$place" >/root/place; mv "$place" /root/kept && depmod'
# An apply is some twenty commands for a router.
SLOW: Final = 30 if series.ALL else 4
_SLOW: Final = f"echo 'sleep {SLOW}' >/root/.bashrc.slow && sed -i '1i . /root/.bashrc.slow' /root/.bashrc"
_MOVE: Final = "systemd-run -q sh -c 'sleep 1; systemctl stop keepalived; sleep 8; systemctl start keepalived'"

CASES: Final[tuple[Once, ...]] = (
    Once("power of both routers cut at the same moment", OLD, "", ("r1", "keepalived-reload"), both(_CUT), booted=True),
    Once("disk of r1 full when its files are written", OLD, "r1", ("r1", "keepalived-reload"), on("r1", _FILL),
         mended=on("r1", _EMPTY)),
    Once("keepalived of r1 dies when it reloads", OLD, "r1", ("r1", "guard"), _without_reload,
         mended=on("r1", "rm -r /run/systemd/system/keepalived.service.d && systemctl daemon-reload")),
    Once("a second manager comes with the same plan", NEW, "", ("r2", "keepalived-reload"), _other_manager),
    Once("a foreign rule is added between plan and apply", EITHER, then=on("r1", "iptables -A INPUT -s 198.51.100.7 -j DROP")),
    Once("sudo is refused on both from here on", OLD, "sudo", ("r2", "keepalived-reload"),
         both("mount --bind /dev/null /etc/sudoers.d/admin"), healed=both("umount /etc/sudoers.d/admin"), job=_by_admin),
    Once("disk of r1 full before its files are written", OLD, "r1", ("r1", "guard"), on("r1", _FILL), mended=on("r1", _EMPTY)),
    Once("disk full where the checkpoint lies on r1", OLD, "r1",
         broken=on("r1", "mkdir -p /var/lib/lbftp && mount -t tmpfs -o size=16k full /var/lib/lbftp"),
         mended=on("r1", "umount /var/lib/lbftp")),
    Once("/etc of r1 becomes read-only", OLD, "r1", ("r1", "guard"), on("r1", _READ_ONLY), mended=on("r1", _WRITABLE)),
    Once("/etc of r1 becomes read-only for a minute", OLD, "r1", ("r1", "keepalived-reload"),
         on("r1", f"{_READ_ONLY}; systemd-run -q sh -c 'sleep 60; {_WRITABLE}'")),
    Once("the VIP moves while it is proven", EITHER, "", ("", "settle"), on("r1", _MOVE)),
    Once("keepalived -t refuses the new files on r1", OLD, "Unknown keyword 'nonsense'",
         broken=on("r1", f"cp -p {_KEEPALIVED} /root/kept && echo 'nonsense 1' >>{_KEEPALIVED}"),
         mended=on("r1", f"mv /root/kept {_KEEPALIVED}")),
    Once("the module is missing from r1's kernel", OLD, "ip_vs_ftp", ("r2", "keepalived-reload"), on("r1", _MODULE),
         mended=on("r1", 'mv /root/kept "$(cat /root/place)" && depmod')),
    Once("a unit is missing on r1", OLD, "netfilter-persistent", ("", "sessions"),
         on("r1", f"systemctl mask -q --runtime {_UNIT}"),
         broken=on("r1", f"systemctl disable -q {_UNIT}"),
         healed=on("r1", f"systemctl unmask -q --runtime {_UNIT}")),
    Once("another program holds the xtables lock of r1 for 45 s", EITHER, "", ("r2", "rules"),
         on("r1", "systemd-run -q flock /run/xtables.lock sleep 45; sleep 0.5")),
    Once("clocks off by a year, r1 ahead and r2 behind", NEW, "", ("r1", "guard"), _clocks),
    Once(f"r1 answers every command after {SLOW} s", EITHER, "", ("", "observe"), on("r1", _SLOW),
         healed=on("r1", "rm -f /root/.bashrc.slow; sed -i '/bashrc.slow/d' /root/.bashrc"), job=lambda _bench: {"guard": max(60, 8 * SLOW)}),
)  # fmt: skip
