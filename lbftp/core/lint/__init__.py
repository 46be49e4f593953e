"""Rules that a spec must keep for FTP to work, judged from the spec alone. `preflight` judges what routers hold.

Each rule has a code that never changes its meaning, and a line in docs/lint.md. What counts as known is in
`path` (measured) and in the kernel's and keepalived's own documentation, named where a rule rests on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Final

from lbftp.core.lint import (
    addresses,
    balance,
    capacity,
    checks,
    families,
    modes,
    others,
    pair,
    persistence,
    ports,
    shared_servers,
    vrrp,
)
from lbftp.core.lint.rule import PairRule, Rule
from lbftp.core.problem import Problem
from lbftp.core.spec import ClusterSpec

__all__ = ["lint", "lint_others"]

_RULES: Final[tuple[Rule, ...]] = (
    *pair.RULES,
    *addresses.RULES,
    *families.RULES,
    *ports.RULES,
    *persistence.RULES,
    *modes.RULES,
    *balance.RULES,
    *capacity.RULES,
    *checks.RULES,
    *vrrp.RULES,
)
_PAIR_RULES: Final[tuple[PairRule, ...]] = (*others.RULES, *shared_servers.RULES)
_ORDER: Final = {"error": 0, "warning": 1, "info": 2}


def lint(spec: ClusterSpec) -> list[Problem]:
    """Every problem of `spec` by itself, errors first, then in the order of the codes."""
    return _sorted(list(chain.from_iterable(rule(spec) for rule in _RULES)))


def lint_others(spec: ClusterSpec, others_: Sequence[ClusterSpec]) -> list[Problem]:
    """Problems of `spec` beside the other clusters (of other names) that share a router with it."""
    mine = {r.name for r in spec.routers}
    beside = [o for o in others_ if o.key != spec.key and mine & {r.name for r in o.routers}]
    found = [p for other in beside for rule in _PAIR_RULES for p in rule(spec, other)]
    return _sorted([*found, *others.helper_ports(spec, beside)])


def _sorted(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda p: (_ORDER[p.severity], p.code, p.router))
