"""Differences from what was planned, on a router and of the pair. A re-apply repairs most of
them.
"""

from __future__ import annotations

from typing import Final

from lbftp.core.checks.catalogue.entry import REAPPLY, Entry

PLAN: Final = (
    Entry(
        "module",
        "error",
        "The helper module is not loaded.",
        sentence="The helper module {key} is not loaded: PASV hands out the real server's private address",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "module-ports",
        "error",
        "The helper does not watch all control ports.",
        sentence="The helper {key} does not watch all control ports: PASV fails at the others",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "helper-present",
        "warning",
        "The helper watches a port of a cluster that does without it.",
        sentence=(
            "The helper {key} watches this cluster's port: PASV without TLS fails, because the servers name the VIP"
        ),
        remedy=(
            "Unload it (modprobe -r) and take it out of modules-load.d if no other "
            "cluster needs it, or use another port."
        ),
    ),
    Entry(
        "sysctl",
        "error",
        "A sysctl such as forwarding is off.",
        sentence="{key} is off: nothing is forwarded, every mode fails",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "table",
        "error",
        "Our nftables table is not as wanted.",
        sentence="The nftables table {key} is not as wanted",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "leftover-table",
        "warning",
        "A table of ours is no longer needed.",
        sentence="The nftables table {key} is there and no longer needed",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "script-file",
        "error",
        "A script of a health check is not as wanted.",
        sentence="{key} is not as wanted: health checks may fail or pass wrongly",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "unwanted-file",
        "warning",
        "A keepalived file of ours is no longer needed.",
        sentence="{key} is there and no longer needed",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "chain",
        "error",
        "A rule of ours (mark, way out, accept) is missing, too many or out of order; the finding names the rule.",
        sentence="Rules of {key} are not as wanted",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "jump",
        "error",
        "No single jump leads to our chain, so that its rules are not used.",
        sentence="No single jump leads from {key} to the cluster's rules: they are not used",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "leftover-chain",
        "warning",
        "A chain of ours is no longer needed.",
        sentence="{key} is there and no longer needed",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "keepalived-file",
        "error",
        "One of our keepalived files (priorities, checks, services) is not as wanted.",
        sentence="{key} is not as wanted",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "keepalived-include",
        "error",
        "keepalived.conf does not include our files.",
        sentence="{key} does not include lbftp's files: keepalived forgets the cluster",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "keepalived-late",
        "warning",
        "A file is as wanted and was changed after keepalived last read it: what is in force may be another.",
        sentence="{key} changed after keepalived last read it: priorities, checks and weights in force may be others",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "keepalived-stopped",
        "error",
        "keepalived does not run.",
        sentence="{key} is not running: no service, no VRRP, no health checks",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "service-missing",
        "error",
        "The virtual service is not in the kernel.",
        sentence="The virtual service {key} is not in the kernel: every mode fails",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "service-settings",
        "warning",
        "The virtual service has another scheduler or persistence.",
        sentence="The virtual service {key} has other settings",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "destination-missing",
        "warning",
        "A real server is not in rotation, and keepalived's log does not tell why.",
        sentence="Real server {key} is not in rotation",
        remedy=(
            "Its health check failed, or somebody took it out: look at the server, then "
            "restart keepalived on this router."
        ),
    ),
    Entry(
        "destination-down",
        "warning",
        "A real server is not in rotation: keepalived's health check took it out; since when and why is told.",
        sentence=(
            "Real server {key} is not in rotation: keepalived's health check took it out, the others carry its clients"
        ),
        remedy="Look at the FTP server, and at the way to it from this router; keepalived brings it back by itself.",
    ),
    Entry(
        "destination-removed",
        "warning",
        "A real server is not in rotation though keepalived holds it for healthy.",
        sentence=(
            "Real server {key} is not in rotation though keepalived holds it for "
            "healthy: it was taken out past keepalived"
        ),
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "destination-unknown",
        "error",
        "Somebody who is no real server of the cluster gets clients.",
        sentence="{key} gets clients and is no real server of the cluster",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "destination-weight",
        "warning",
        "A real server has another weight or method.",
        sentence="Real server {key} has another weight or method",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "sorry-server",
        "warning",
        "The sorry server gets the clients.",
        sentence="The sorry server {key} gets the clients: fewer than the quorum of real servers live",
        remedy="Look at the real servers.",
    ),
    Entry(
        "saved-rules",
        "error",
        "The saved rules differ from what they have to be.",
        sentence="The saved rules in {key} differ: after a reboot the cluster's rules are gone",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "module-file",
        "error",
        "The helper is not loaded at boot.",
        sentence="{key} does not load the helper: after a reboot PASV fails",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "modprobe-file",
        "error",
        "The helper is loaded with other control ports at boot.",
        sentence="{key} is not as wanted: the helper is loaded with other control ports",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "sysctl-file",
        "error",
        "Forwarding is not switched on at boot.",
        sentence="{key} is not as wanted: after a reboot nothing is forwarded",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "nft-file",
        "error",
        "The file with our nftables table is not as wanted.",
        sentence="{key} is not as wanted: after a reboot the cluster's rules are gone or others",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "nft-include-file",
        "error",
        "nftables.conf does not include our tables.",
        sentence="{key} does not include our tables: after a reboot the rules are gone",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "unit-disabled",
        "error",
        "A unit that the cluster needs does not start at boot.",
        sentence="The unit {key} is not started at boot: {boot}",
        remedy=REAPPLY,
        repairable=True,
    ),
    Entry(
        "unit-masked",
        "error",
        "A unit that the cluster needs is masked.",
        sentence="The unit {key} is masked, so nothing starts it: {boot}",
        remedy="systemctl unmask {key}, then re-apply.",
    ),
    Entry(
        "left-behind",
        "error",
        "After a rollback to nothing: something of the cluster still runs on the router.",
        sentence="{what} is still there",
        remedy="Roll back again.",
    ),
    Entry(
        "left-saved",
        "error",
        "Likewise: something of the cluster is still saved there for the next boot.",
        sentence="{what} is still there",
        remedy="Roll back again.",
    ),
    Entry(
        "vip-not-held",
        "error",
        "An address that moves is held by no router.",
        sentence="{address} is held by {held}",
        remedy="See that keepalived runs on both routers and that VRRP (protocol 112) passes between them.",
    ),
    Entry(
        "two-masters",
        "error",
        "An address that moves is held by both routers.",
        sentence="{address} is held by {held}",
        remedy="See that keepalived runs on both routers and that VRRP (protocol 112) passes between them.",
    ),
    Entry(
        "split-addresses",
        "error",
        "The addresses that move together are on different routers.",
        sentence="{address} is held by {held}",
        remedy="See that keepalived runs on both routers and that VRRP (protocol 112) passes between them.",
    ),
)
