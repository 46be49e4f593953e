"""Rules of nftables as nft(8) reads them, from the form in which they are observed.

Only what our own tables are made of is written; a rule with anything else in it, which somebody else must have put
there, is given as None. So no text from a router can become more than one rule.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from lbftp.core.observe.nftables import NftChain, NftRule, NftTable, Statement

_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:*/-]{0,63}|::[0-9a-f:.]{0,40}")
_QUOTABLE: Final = re.compile(r"[A-Za-z0-9 ,.:;_()/+=-]{1,127}")
_VERDICTS: Final = ("accept", "drop", "return", "masquerade", "reject")
_BARE_META: Final = ("iifname", "oifname")


class UnwritableError(ValueError):
    """A statement that this module does not write."""


def rule_text(rule: NftRule) -> str | None:
    """The rule on one line, None if it has something that is not written here."""
    try:
        words = [_statement(s) for s in rule.expressions]
        return " ".join([*words, f"comment {_quoted(rule.comment)}"] if rule.comment else words)
    except (UnwritableError, KeyError, TypeError, AttributeError, ValueError):
        return None


def shown(rule: NftRule) -> str:
    """The rule for people; what is not written here as JSON."""
    return rule_text(rule) or json.dumps([json.loads(s) for s in rule.statements])


def table_text(table: NftTable, *, writable: bool = True) -> list[str]:
    """Lines of the table's block. `writable`: for nft, so rules that are not written here are left out."""
    lines = [f"table {_word(table.family)} {_word(table.name)} {{"]
    for number, chain in enumerate(table.chains.values()):
        lines += [""] * (number > 0) + [f"\t{line}" if line else "" for line in _chain(chain, writable)]
    return [*lines, "}"]


def _chain(chain: NftChain, writable: bool) -> list[str]:
    lines = [f"chain {_word(chain.name)} {{"]
    if chain.hook:
        place = f"type {_word(chain.type)} hook {_word(chain.hook)} priority {chain.priority:d}"
        lines.append(f"\t{place}; policy {_word(chain.policy or 'accept')};")
    texts = [rule_text(r) if writable else shown(r) for r in chain.rules]
    return [*lines, *(f"\t{text}" for text in texts if text), "}"]


def _statement(statement: Statement) -> str:
    ((kind, value),) = statement.items()
    if kind == "match":
        operator = {"==": "", "!=": "!= "}[value["op"]]
        return f"{_left(value['left'])} {operator}{_right(value['right'], value['left'])}"
    if kind == "mangle" and value["key"] == {"meta": {"key": "mark"}}:
        return f"meta mark set {_mark(value['value'])}"
    if kind == "snat" and set(value) == {"addr"}:
        address = _word(value["addr"])
        return f"snat {'ip6' if ':' in address else 'ip'} to {address}"
    if kind in _VERDICTS and value is None:
        return kind
    raise UnwritableError(kind)


def _left(value: Statement) -> str:
    ((kind, inner),) = value.items()
    if kind == "payload":
        return f"{_word(inner['protocol'])} {_word(inner['field'])}"
    if kind == "meta":
        return inner["key"] if inner["key"] in _BARE_META else f"meta {_word(inner['key'])}"
    if kind == "ct" and set(inner) == {"key"}:
        return f"ct {_word(inner['key'])}"
    raise UnwritableError(kind)


def _right(value: Any, left: Statement) -> str:
    if left == {"meta": {"key": "mark"}}:
        return _mark(value)
    if left.get("meta", {}).get("key") in _BARE_META:
        return _quoted(value)
    if isinstance(value, dict) and set(value) == {"prefix"}:
        return f"{_word(value['prefix']['addr'])}/{value['prefix']['len']:d}"
    if isinstance(value, dict) and set(value) == {"range"}:
        low, high = value["range"]
        return f"{_word(low)}-{_word(high)}"
    return _word(value)


def _mark(value: Any) -> str:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 0xFFFFFFFF:
        raise UnwritableError("mark")
    return f"{value:#010x}"


def _word(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return f"{value:d}"
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise UnwritableError(f"{value!r:.40}")
    return value


def _quoted(value: Any) -> str:
    """nft(8) has no way to write a quote within quotes."""
    if not isinstance(value, str) or not _QUOTABLE.fullmatch(value):
        raise UnwritableError(f"{value!r:.40}")
    return f'"{value}"'
