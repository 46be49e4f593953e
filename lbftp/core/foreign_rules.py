"""Rules of iptables that are not ours: which run on a router, and which of them are saved
nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lbftp.core.observe.iptables import Chain, Rule, Ruleset
from lbftp.core.observe.observed import Observed
from lbftp.core.ours import CHAIN_PREFIX
from lbftp.core.spec import Family


class Place(NamedTuple):
    """A rule and where it stands."""

    table: str
    chain: Chain
    rule: Rule

    @property
    def key(self) -> tuple[str, str, tuple[str, ...]]:
        """Equal for the same rule in the same chain, whatever its counters and spelling."""
        return self.table, self.chain.name, self.rule.tokens


def foreign_rules(ruleset: Ruleset) -> Iterator[Place]:
    """All but those in our chains and those that jump to one, in their order."""
    for table, chain, rule in ruleset.rules():
        in_ours = chain.name.startswith(CHAIN_PREFIX)
        to_ours = rule.target.startswith(CHAIN_PREFIX)

        if not in_ours and not to_ours:
            yield Place(table, chain, rule)


def unsaved_rules(observed: Observed, family: Family) -> list[Place]:
    """Foreign rules that run on a router and are not in its file of saved rules."""
    saved = {Place(*place).key for place in observed.saved_rules(family).rules()}
    return [place for place in foreign_rules(observed.rules(family)) if place.key not in saved]
