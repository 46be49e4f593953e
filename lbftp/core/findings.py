"""Differences as findings for people: what is wrong, how much it matters, what it breaks, what
to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from lbftp.core.checks.catalogue import entry
from lbftp.core.diff import Difference, diff
from lbftp.core.observe.iptables import rule
from lbftp.core.observe.observed import Observed
from lbftp.core.problem import Severity
from lbftp.core.render import desired
from lbftp.core.spec import ClusterSpec


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


def finding(code: str, router: str, expected: str, found: str, **fields: object) -> Finding:
    """The finding of `code` as the catalogue has it; `fields` are those of its sentence and
    remedy. KeyError for a code that there is not."""
    one = entry(code)
    what, remedy = one.sentence.format(**fields), one.remedy.format(**fields)
    return Finding(code, one.severity, router, what, expected, found, remedy, one.repairable)


def drift(found: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of findings as a run stores them (`Finding.to_json`, with `repaired`) those that are
    drift: more than a note, and not put right by the run that found them. States of clusters,
    pages and exit codes all ask here."""
    return [one for one in found if one.get("severity") != "info" and not one.get("repaired")]


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


def _finding(
    router: str,
    difference: Difference,
    expected: str,
    found: str,
    what: str = "",
) -> Finding:
    key, boot = difference.key, _BOOT.get(difference.key, _BOOT_RULES)
    made = finding(difference.kind, router, expected, found, key=key, boot=boot)
    return replace(made, what=what) if what else made


def _rules(router: str, difference: Difference) -> Iterator[Finding]:
    """One finding a rule that is missing or too many; one for the chain if only the order is
    wrong.
    """
    key = difference.key
    expected = difference.expected.split("\n")
    found = difference.found.split("\n") if difference.found else []

    normal_found = {_plain(text) for text in found}
    normal_expected = {_plain(text) for text in expected}
    missing = [text for text in expected if _plain(text) not in normal_found]
    extra = [text for text in found if _plain(text) not in normal_expected]

    for text in missing:
        what = f"{key}: the {_name(text)} is missing: {text}"
        yield _finding(router, difference, text, "", what)
    for text in extra:
        yield _finding(router, difference, "", text, f"{key}: a rule that is not ours: {text}")
    if not missing and not extra:
        whole = (difference.expected, difference.found)
        yield _finding(router, difference, *whole, f"{key}: wrong order")


def _plain(text: str) -> tuple[str, ...]:
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
    return finding(code, "", "one router", held, address=address, held=held)


def master(spec: ClusterSpec, observed: Mapping[str, Observed]) -> str:
    """The router that holds the VIP now; '' if none or several do."""
    names = [n for n in observed if observed[n].holds(str(spec.sides[0].vip))]
    return names[0] if len(names) == 1 else ""
