"""nftables' own tables on a router, as far as they decide about FTP packets (nft(8), libnftables-json(5))."""

from __future__ import annotations

from dataclasses import dataclass

from lbftp.core.observe.nftables import NftRuleset
from lbftp.core.path.rules import Filter, Line, Names
from lbftp.core.spec import Family


@dataclass(frozen=True, slots=True)
class Native:
    """What nftables does beside iptables: to packets before routing, in filters, and to connections on their way out.

    `unread` are (where, what) that could not be evaluated.
    """

    marking: tuple[Line, ...] = ()
    filters: tuple[Filter, ...] = ()
    postrouting: tuple[Line, ...] = ()
    tracking: str = ""
    unread: tuple[tuple[str, str], ...] = ()


def native(ruleset: NftRuleset | None, family: Family, names: Names) -> Native:
    """Nothing where there is no table of nftables' own."""
    if ruleset is None:
        return Native()
    tables = sorted(f"{key[0]} {key[1]}" for key in ruleset.tables)
    what = "Its rules are not evaluated: whether they let the packets pass is unknown."
    return Native(unread=tuple((f"router, nftables table {name}", what) for name in tables))
