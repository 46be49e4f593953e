"""What the rest of the world does to a pair of routers: others' rules, a boot, full tables, what
daemons think.

None of it is repairable by re-applying, because none is about what lbftp puts on a router.
"""

from __future__ import annotations

from typing import Final

from lbftp.core.checks.catalogue.entry import Entry
from lbftp.core.ours import SYSCTL_FILE

_LOOK_ALIKE: Final = "Take it out, or let it leave the virtual address alone."
_OUR_FILE: Final = SYSCTL_FILE.rpartition("/")[2]

WORLD: Final = (
    Entry(
        "rule-takes-first",
        "error",
        "A rule of others takes the cluster's packets before they get the mark.",
        sentence="A foreign rule in {where} takes the cluster's packets before they get the mark ({ports})",
        remedy=_LOOK_ALIKE,
    ),
    Entry(
        "rule-marks-over",
        "error",
        "A rule of others gives them another mark after ours.",
        sentence="A foreign rule in {where} gives the cluster's packets another mark after ours ({ports})",
        remedy=_LOOK_ALIKE,
    ),
    Entry(
        "rule-redirects",
        "error",
        "A rule of others sends them elsewhere.",
        sentence="A foreign rule in {where} sends the cluster's packets elsewhere ({ports})",
        remedy=_LOOK_ALIKE,
    ),
    Entry(
        "rule-untracks",
        "error",
        "A rule of others takes them out of connection tracking: the helper does not rewrite.",
        sentence=(
            "A foreign rule in {where} takes the packets out of connection tracking: the helper does not rewrite"
        ),
        remedy=_LOOK_ALIKE,
    ),
    Entry(
        "rule-drops",
        "error",
        "A rule of others loses them before our accepts let them pass.",
        sentence="{where} loses packets of the cluster before our accepts let them pass: {kinds} fail",
        remedy="Put it behind the jump to our chain, or take it out.",
    ),
    Entry(
        "rule-takes-source",
        "warning",
        "A rule of others decides on the source of active mode's connections before ours.",
        sentence=(
            "A foreign rule in {where} decides on the real servers' own connections "
            "before ours: clients of active mode may see another address than the VIP, "
            "or nothing"
        ),
        remedy=_LOOK_ALIKE,
    ),
    Entry(
        "saved-rule-wins",
        "error",
        "The saved rules hold a rule of others that will win over ours after a reboot.",
        sentence="After a reboot a foreign rule in {path} wins over ours: {kinds} fail",
        remedy="Correct the file: put the rule behind our jumps, or take it out.",
    ),
    Entry(
        "mark-routed",
        "warning",
        "A routing rule is about the cluster's mark.",
        sentence="A routing rule is about mark {mark}, which is the cluster's: its packets may leave by another way",
        remedy="Let the rule name another mark, or give the cluster another one.",
    ),
    Entry(
        "sysctl-overridden",
        "error",
        "A later sysctl file takes back at boot what ours sets.",
        sentence="{path} sets {key} to {value} after our file: after a reboot nothing is forwarded, every mode fails",
        remedy=f"Take the line out, or rename the file so that it comes before {_OUR_FILE}.",
    ),
    Entry(
        "module-blocked",
        "error",
        "A modprobe file keeps the helper from being loaded.",
        sentence="{path} keeps the helper from being loaded at boot: after a reboot PASV fails",
        remedy="Take the line out.",
    ),
    Entry(
        "conntrack-filling",
        "warning",
        "80 % of the connection tracking table are in use.",
        sentence=(
            "{percent} % of the connection tracking table are in use: when it is full, new connections are dropped"
        ),
        remedy="Raise net.netfilter.nf_conntrack_max, or find out who opens so many.",
    ),
    Entry(
        "conntrack-full",
        "error",
        "95 % of the connection tracking table are in use.",
        sentence=(
            "{percent} % of the connection tracking table are in use: new connections are dropped, or soon will be"
        ),
        remedy="Raise net.netfilter.nf_conntrack_max now (sysctl -w, and in sysctl.d).",
    ),
    Entry(
        "passive-filling",
        "warning",
        "A real server has 80 % of its passive ports in use.",
        sentence="{server} has {percent} % of its passive ports in use: when they are gone, its transfers fail",
        remedy="Widen the passive range, or add a real server.",
    ),
    Entry(
        "passive-full",
        "error",
        "A real server has 95 % of its passive ports in use.",
        sentence="{server} has {percent} % of its passive ports in use: PASV and EPSV fail there, or soon will",
        remedy="Widen the passive range, or add a real server.",
    ),
    Entry(
        "passive-outside",
        "warning",
        "Sessions met a real server that chooses passive ports outside the cluster's range.",
        sentence=(
            "{server} chooses passive ports outside the cluster's range: what lets just the range through stops them"
        ),
        remedy="Set the server's passive range to the cluster's (docs/ftp-servers.md).",
    ),
    Entry(
        "mode-fails",
        "error",
        (
            "A promised kind of client cannot work through this router as it is, and which part "
            "decides that ([why.md](why.md))."
        ),
        sentence="Through this router as it is {kinds} fail: {reason}",
        remedy="See what else was found here; docs/why.md tells what decides.",
    ),
    Entry(
        "no-servers",
        "error",
        "No real server is in rotation.",
        sentence="No real server is in rotation over IPv{family}: every mode fails",
        remedy="Look at the FTP servers, and at the network between them and this router.",
    ),
    Entry(
        "quorum-lost",
        "error",
        "Real servers in rotation weigh less than the quorum.",
        sentence="Real servers in rotation weigh {weight} over IPv{family}, less than the quorum {quorum}",
        remedy="Look at the real servers that are not in rotation.",
    ),
    Entry(
        "health-differs",
        "warning",
        "One router's health check lost a real server that the other's still has.",
        sentence=(
            "{server} is in rotation on {there} and not here: it is not the server that "
            "fails, but the way to it or the check on this router"
        ),
        remedy="Look at the network between this router and the server, and at this router's filter.",
    ),
    Entry(
        "backup-serves",
        "info",
        "The router with the lower priority carries the clients, and why.",
        sentence="{holder} carries the clients, though the priorities plan {planned}: {why}",
        remedy="{remedy}",
    ),
    Entry(
        "preemption-fails",
        "warning",
        "Likewise, though the other one runs and should have taken over.",
        sentence="{holder} carries the clients, though {planned} has the higher priority, runs and should take over",
        remedy=(
            "See that VRRP (protocol 112) passes between the routers and which priorities "
            "keepalived read (journalctl -u keepalived)."
        ),
    ),
)
