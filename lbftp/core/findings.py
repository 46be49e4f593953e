"""Differences as findings for people: what is wrong, how much it matters, what it breaks, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from lbftp.core.diff import Difference, diff
from lbftp.core.observe.observed import Observed
from lbftp.core.problem import Severity
from lbftp.core.render import desired
from lbftp.core.spec import ClusterSpec

_REAPPLY: Final = "Re-apply the cluster."


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. `router` is '' for the pair. `repairable`: re-applying puts it right."""

    code: str
    severity: Severity
    router: str
    what: str
    expected: str
    found: str
    remedy: str
    repairable: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a kind of difference means: the sentence with {key}, and what it does to FTP (docs/why.md)."""

    severity: Severity
    what: str
    remedy: str = _REAPPLY
    repairable: bool = True


_MEANINGS: Final[Mapping[str, _Meaning]] = {
    "module": _Meaning(
        "error", "The helper module {key} is not loaded: PASV hands out the real server's private address"
    ),
    "module-ports": _Meaning("error", "The helper {key} does not watch all control ports: PASV fails at the others"),
    "helper-present": _Meaning(
        "warning",
        "The helper {key} watches this cluster's port: PASV without TLS fails, because the servers name the VIP",
        "Unload it (modprobe -r) and take it out of modules-load.d if no other cluster needs it, or use another port.",
        repairable=False,
    ),
    "sysctl": _Meaning("error", "{key} is off: nothing is forwarded, every mode fails"),
    "table": _Meaning("error", "The nftables table {key} is not as wanted"),
    "leftover-table": _Meaning("warning", "The nftables table {key} is there and no longer needed"),
    "script-file": _Meaning("error", "{key} is not as wanted: health checks may fail or pass wrongly"),
    "unwanted-file": _Meaning("warning", "{key} is there and no longer needed"),
    "chain": _Meaning("error", "Rules of {key} are not as wanted"),
    "jump": _Meaning("error", "No single jump leads from {key} to the cluster's rules: they are not used"),
    "leftover-chain": _Meaning("warning", "{key} is there and no longer needed"),
    "keepalived-file": _Meaning("error", "{key} is not as wanted"),
    "keepalived-include": _Meaning("error", "{key} does not include lbftp's files: keepalived forgets the cluster"),
    "keepalived-late": _Meaning(
        "warning", "{key} changed after keepalived last read it: priorities, checks and weights in force may be others"
    ),
    "keepalived-stopped": _Meaning("error", "{key} is not running: no service, no VRRP, no health checks"),
    "service-missing": _Meaning("error", "The virtual service {key} is not in the kernel: every mode fails"),
    "service-settings": _Meaning("warning", "The virtual service {key} has other settings"),
    "destination-missing": _Meaning(
        "warning",
        "Real server {key} is not in rotation",
        "Its health check failed, or somebody took it out: look at the server, then restart keepalived on this router.",
        repairable=False,
    ),
    "destination-down": _Meaning(
        "warning",
        "Real server {key} is not in rotation: keepalived's health check took it out, the others carry its clients",
        "Look at the FTP server, and at the way to it from this router; keepalived brings it back by itself.",
        repairable=False,
    ),
    "destination-removed": _Meaning(
        "warning",
        "Real server {key} is not in rotation though keepalived holds it for healthy: it was taken out past keepalived",
    ),
    "destination-unknown": _Meaning("error", "{key} gets clients and is no real server of the cluster"),
    "destination-weight": _Meaning("warning", "Real server {key} has another weight or method"),
    "sorry-server": _Meaning(
        "warning",
        "The sorry server {key} gets the clients: fewer than the quorum of real servers live",
        "Look at the real servers.",
        repairable=False,
    ),
    "saved-rules": _Meaning("error", "The saved rules in {key} differ: after a reboot the cluster's rules are gone"),
    "module-file": _Meaning("error", "{key} does not load the helper: after a reboot PASV fails"),
    "modprobe-file": _Meaning("error", "{key} is not as wanted: the helper is loaded with other control ports"),
    "sysctl-file": _Meaning("error", "{key} is not as wanted: after a reboot nothing is forwarded"),
    "nft-file": _Meaning("error", "{key} is not as wanted: after a reboot the cluster's rules are gone or others"),
    "nft-include-file": _Meaning("error", "{key} does not include our tables: after a reboot the rules are gone"),
    "unit-disabled": _Meaning("error", "The unit {key} is not started at boot: {boot}"),
    "unit-masked": _Meaning(
        "error",
        "The unit {key} is masked, so nothing starts it: {boot}",
        "systemctl unmask {key}, then re-apply.",
        False,
    ),
}

# What a boot leaves out if a unit does not start.
_BOOT: Final[Mapping[str, str]] = {
    "keepalived.service": "after a reboot this router has no service, no VRRP and no health checks",
    "systemd-modules-load.service": "after a reboot the helper is not loaded and PASV fails",
    "systemd-sysctl.service": "after a reboot nothing is forwarded and every mode fails",
}
_BOOT_RULES: Final = "after a reboot the cluster's rules are gone and every mode fails"

_RULE_MEANINGS: Final[tuple[tuple[str, str], ...]] = (
    ("--set-xmark", "mark rule"),
    ("MASQUERADE", "rule that lets active mode out (and turns connection tracking on)"),
    ("-p 112", "accept for VRRP"),
    ("ACCEPT", "accept"),
)


def findings(spec: ClusterSpec, observed: Mapping[str, Observed]) -> list[Finding]:
    """All findings on the observed routers of `spec`, router by router, then those of the pair."""
    found: list[Finding] = []
    for name in sorted(observed):
        for difference in diff(desired(spec, observed[name]), observed[name]):
            found += _of(name, difference)
    return found + list(_pair(spec, observed))


def needs_repair(found: Sequence[Finding]) -> bool:
    """Whether re-applying would change anything."""
    return any(f.repairable for f in found)


def _of(router: str, difference: Difference) -> Iterator[Finding]:
    if difference.kind == "chain":
        yield from _rules(router, difference)
        return
    yield _finding(router, difference, difference.expected, difference.found)


def _finding(router: str, difference: Difference, expected: str, found: str, what: str = "") -> Finding:
    meaning = _MEANINGS[difference.kind]
    key, boot = difference.key, _BOOT.get(difference.key, _BOOT_RULES)
    text = what or meaning.what.format(key=key, boot=boot)
    remedy = meaning.remedy.format(key=key)
    return Finding(difference.kind, meaning.severity, router, text, expected, found, remedy, meaning.repairable)


def _rules(router: str, difference: Difference) -> Iterator[Finding]:
    """One finding a rule that is missing or too many; one for the chain if only the order is wrong."""
    expected, found = difference.expected.split("\n"), difference.found.split("\n") if difference.found else []
    normal_found = {_plain(rule) for rule in found}
    normal_expected = {_plain(rule) for rule in expected}
    missing = [rule for rule in expected if _plain(rule) not in normal_found]
    extra = [rule for rule in found if _plain(rule) not in normal_expected]
    for rule in missing:
        yield _finding(router, difference, rule, "", f"{difference.key}: the {_name(rule)} is missing: {rule}")
    for rule in extra:
        yield _finding(router, difference, "", rule, f"{difference.key}: a rule that is not ours: {rule}")
    if not missing and not extra:
        yield _finding(router, difference, difference.expected, difference.found, f"{difference.key}: wrong order")


def _plain(text: str) -> tuple[str, ...]:
    from lbftp.core.observe.iptables import rule

    return rule(text).tokens


def _name(text: str) -> str:
    return next((name for part, name in _RULE_MEANINGS if part in text), "rule")


def _pair(spec: ClusterSpec, observed: Mapping[str, Observed]) -> Iterator[Finding]:
    """Each floating address is held by exactly one router, all of them by the same one."""
    if len(observed) < len(spec.routers):
        return
    holders = {a: [n for n in sorted(observed) if observed[n].holds(a)] for a in _floating(spec)}
    for address, names in holders.items():
        if len(names) != 1:
            yield _pair_finding("vip-not-held" if not names else "two-masters", address, names)
    single = {names[0] for names in holders.values() if len(names) == 1}
    if len(single) > 1:
        held = [f"{address} by {names[0]}" for address, names in holders.items() if len(names) == 1]
        yield _pair_finding("split-addresses", " and ".join(holders), held)


def _floating(spec: ClusterSpec) -> list[str]:
    """Every address that moves, the VIPs first."""
    sides = spec.sides
    return [str(s.vip) for s in sides] + [str(s.floating) for s in sides if s.floating is not None]


def _pair_finding(code: str, address: str, names: Sequence[str]) -> Finding:
    held = ", ".join(names) or "no router"
    return Finding(
        code,
        "error",
        "",
        f"{address} is held by {held}",
        "one router",
        held,
        "See that keepalived runs on both routers and that VRRP (protocol 112) passes between them.",
        repairable=False,
    )


def master(spec: ClusterSpec, observed: Mapping[str, Observed]) -> str:
    """The router that holds the VIP now; '' if none or several do."""
    names = [n for n in observed if observed[n].holds(str(spec.sides[0].vip))]
    return names[0] if len(names) == 1 else ""
