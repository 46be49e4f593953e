"""After going back to nothing: nothing of the cluster is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from lbftp.core.findings import Finding, finding
from lbftp.core.observe.ipvs import fwmark
from lbftp.core.observe.observed import Observed
from lbftp.core.ours import INCLUDE_DIR
from lbftp.core.render import ftp_check, iptables, keepalived, nftables
from lbftp.core.spec import FAMILIES, ClusterSpec

RUNNING: Final = "left-behind"
# Taken away last, once it was seen that the running system needs it no more.
SAVED: Final = "left-saved"


def remains(spec: ClusterSpec, observed: Mapping[str, Observed]) -> list[Finding]:
    """What of the cluster is still there, running or saved. The helper module may stay: in use it cannot go."""
    return [
        finding(code, name, "nothing of the cluster", what, what=what)
        for name in sorted(observed)
        for code, what in _left(spec, observed[name])
    ]


def _left(spec: ClusterSpec, observed: Observed) -> Iterator[tuple[str, str]]:
    yield from _files(spec, observed)
    for family in FAMILIES:
        rulesets = ((RUNNING, observed.rules(family)), (SAVED, observed.saved_rules(family)))
        for code, ruleset in rulesets:
            for chain in iptables.leftovers(spec.name, (), ruleset, family):
                yield code, f"the {'running' if code == RUNNING else 'saved'} chain {chain.table} {chain.name}"
    if observed.nft is not None and nftables.holds(observed.nft, nftables.table_name(spec.name)):
        yield RUNNING, f"the nftables table {nftables.table_name(spec.name)}"
    for side in spec.sides:
        if fwmark(spec.mark, side.family) in observed.services:
            yield RUNNING, f"the virtual service for mark {spec.mark}"
        if observed.holds(str(side.vip)):
            yield RUNNING, f"the address {side.vip}"


def _files(spec: ClusterSpec, observed: Observed) -> Iterator[tuple[str, str]]:
    own = (keepalived.path(spec.name), ftp_check.script_path(spec.name))
    for path, text in sorted(observed.files.items()):
        if text is None:
            continue
        if path in own or (path.startswith(f"{INCLUDE_DIR}/") and path.endswith(f".group.d/{spec.name}")):
            yield RUNNING, path
        elif path.endswith(f"/{nftables.table_name(spec.name)}.nft"):
            yield SAVED, path
