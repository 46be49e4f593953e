"""What a code of these checks means: its severity, its sentence, and what to do. None of them is repairable by
re-applying, because none is about what lbftp puts on a router."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lbftp.core.findings import Finding
from lbftp.core.ours import SYSCTL_FILE
from lbftp.core.problem import Severity


@dataclass(frozen=True, slots=True)
class Code:
    """`what` is the sentence with its fields in braces."""

    severity: Severity
    what: str
    remedy: str

    def on(self, code: str, router: str, expected: str, found: str, **fields: object) -> Finding:
        """The finding; its sentences' fields are `fields`."""
        what, remedy = self.what.format(**fields), self.remedy.format(**fields)
        return Finding(code, self.severity, router, what, expected, found, remedy, repairable=False)


_LOOK_ALIKE: Final = "Take it out, or let it leave the virtual address alone."

CODES: Final[Mapping[str, Code]] = {
    "rule-takes-first": Code(
        "error", "A foreign rule in {where} takes the cluster's packets before they get the mark ({ports})", _LOOK_ALIKE
    ),
    "rule-marks-over": Code(
        "error", "A foreign rule in {where} gives the cluster's packets another mark after ours ({ports})", _LOOK_ALIKE
    ),
    "rule-redirects": Code(
        "error", "A foreign rule in {where} sends the cluster's packets elsewhere ({ports})", _LOOK_ALIKE
    ),
    "rule-untracks": Code(
        "error",
        "A foreign rule in {where} takes the packets out of connection tracking: the helper does not rewrite",
        _LOOK_ALIKE,
    ),
    "rule-drops": Code(
        "error",
        "{where} loses packets of the cluster before our accepts let them pass: {kinds} fail",
        "Put it behind the jump to our chain, or take it out.",
    ),
    "rule-takes-source": Code(
        "warning",
        "A foreign rule in {where} decides on the real servers' own connections before ours: clients of active mode "
        "may see another address than the VIP, or nothing",
        _LOOK_ALIKE,
    ),
    "saved-rule-wins": Code(
        "error",
        "After a reboot a foreign rule in {path} wins over ours: {kinds} fail",
        "Correct the file: put the rule behind our jumps, or take it out.",
    ),
    "mark-routed": Code(
        "warning",
        "A routing rule is about mark {mark}, which is the cluster's: its packets may leave by another way",
        "Let the rule name another mark, or give the cluster another one.",
    ),
    "sysctl-overridden": Code(
        "error",
        "{path} sets {key} to {value} after our file: after a reboot nothing is forwarded, every mode fails",
        f"Take the line out, or rename the file so that it comes before {SYSCTL_FILE.rpartition('/')[2]}.",
    ),
    "module-blocked": Code(
        "error", "{path} keeps the helper from being loaded at boot: after a reboot PASV fails", "Take the line out."
    ),
    "conntrack-filling": Code(
        "warning",
        "{percent} % of the connection tracking table are in use: when it is full, new connections are dropped",
        "Raise net.netfilter.nf_conntrack_max, or find out who opens so many.",
    ),
    "conntrack-full": Code(
        "error",
        "{percent} % of the connection tracking table are in use: new connections are dropped, or soon will be",
        "Raise net.netfilter.nf_conntrack_max now (sysctl -w, and in sysctl.d).",
    ),
    "passive-filling": Code(
        "warning",
        "{server} has {percent} % of its passive ports in use: when they are gone, its transfers fail",
        "Widen the passive range, or add a real server.",
    ),
    "passive-full": Code(
        "error",
        "{server} has {percent} % of its passive ports in use: PASV and EPSV fail there, or soon will",
        "Widen the passive range, or add a real server.",
    ),
    "passive-outside": Code(
        "warning",
        "{server} chooses passive ports outside the cluster's range: what lets just the range through stops them",
        "Set the server's passive range to the cluster's (docs/ftp-servers.md).",
    ),
    "mode-fails": Code(
        "error",
        "Through this router as it is {kinds} fail: {reason}",
        "See what else was found here; docs/why.md tells what decides.",
    ),
    "no-servers": Code(
        "error",
        "No real server is in rotation over IPv{family}: every mode fails",
        "Look at the FTP servers, and at the network between them and this router.",
    ),
    "quorum-lost": Code(
        "error",
        "Real servers in rotation weigh {weight} over IPv{family}, less than the quorum {quorum}",
        "Look at the real servers that are not in rotation.",
    ),
    "health-differs": Code(
        "warning",
        "{server} is in rotation on {there} and not here: it is not the server that fails, but the way to it or the "
        "check on this router",
        "Look at the network between this router and the server, and at this router's filter.",
    ),
    "backup-serves": Code(
        "info",
        "{holder} carries the clients, though the priorities plan {planned}: {why}",
        "{remedy}",
    ),
    "preemption-fails": Code(
        "warning",
        "{holder} carries the clients, though {planned} has the higher priority, runs and should take over",
        "See that VRRP (protocol 112) passes between the routers and which priorities keepalived read (journalctl -u "
        "keepalived).",
    ),
}  # fmt: skip


def finding(code: str, router: str, expected: str, found: str, **fields: object) -> Finding:
    """The finding of `code`. KeyError for a code that there is not."""
    return CODES[code].on(code, router, expected, found, **fields)
