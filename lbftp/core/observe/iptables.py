"""`iptables-save` and `ip6tables-save` text, also saved files of both platforms and files written by hand -> Ruleset.

Both back ends (legacy and nf_tables) and all ages of syntax come out as the same tokens (`iptables_normal`), so that
equality is `==`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.iptables_normal import FREE, OpenQuoteError, normal, words

_COUNTERS: Final = re.compile(r"^\[\d+:\d+\] ")
_INCOMPATIBLE: Final = re.compile(r"# Table `(\w+)' is incompatible")
_CHAIN: Final = re.compile(r"^:(\S+)\s+(\S+)(?:\s+\[\d+:\d+\])?$")
ENDS: Final = frozenset({"DROP", "REJECT"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a chain. `tokens` is the normal form and alone decides equality; `text` is as it was printed."""

    tokens: tuple[str, ...]
    text: str = field(compare=False)

    @property
    def target(self) -> str:
        """The `-j` or `-g` target, '' if the rule only counts."""
        before = ""
        for option, value in zip(self.tokens, self.tokens[1:], strict=False):
            if option in {"-j", "-g"} and before not in FREE:
                return value
            before = option
        return ""

    @property
    def unconditional(self) -> bool:
        """Whether every packet meets it; a comment is no condition."""
        plain = self.tokens[4:] if self.tokens[:3] == ("-m", "comment", "--comment") else self.tokens
        return plain[:1] in {("-j",), ("-g",)}

    @property
    def sets_mark(self) -> int | None:
        """The firewall mark that a packet without one has after this rule; None if it sets none."""
        if self.target != "MARK" or "--set-xmark" not in self.tokens[:-1]:
            return None
        value, _, _ = self.tokens[self.tokens.index("--set-xmark") + 1].partition("/")
        try:
            return int(value, 16)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Chain:
    """`policy` is ACCEPT or DROP of a built-in chain, '-' of a user's."""

    name: str
    policy: str
    rules: tuple[Rule, ...] = ()

    @property
    def drops_by_default(self) -> bool:
        """Whether a packet that no rule speaks of is lost: by policy, or by a rule for everything at the end."""
        return self.policy in ENDS or any(r.unconditional and r.target in ENDS for r in self.rules)

    def jumps_to(self, name: str) -> int:
        """How many rules jump to the chain `name` without any condition."""
        return sum(r.tokens == ("-j", name) for r in self.rules)


Table = Mapping[str, Chain]


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Tables by name, each with its chains by name in the order printed.

    `unreadable` are tables that iptables-nft does not show, because somebody put rules of nft's own into them.
    """

    tables: Mapping[str, Table] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()

    def chain(self, table: str, name: str) -> Chain | None:
        return self.tables.get(table, {}).get(name)

    def policy(self, table: str, chain: str) -> str:
        """The policy of a built-in chain; ACCEPT (the kernel's default) if the table was never used."""
        found = self.chain(table, chain)
        return found.policy if found else "ACCEPT"

    def rules(self) -> Iterator[tuple[str, Chain, Rule]]:
        """Every rule with its table and chain."""
        for table, chains in self.tables.items():
            for chain in chains.values():
                for rule in chain.rules:
                    yield table, chain, rule


def parse(text: str, part: str = "iptables-save") -> Ruleset:
    """The rule set in `text`. Raises ObserveError, and nothing else, on any text; `part` names it in the message."""
    tables: dict[str, _Table] = {}
    unreadable: list[str] = []
    current: _Table | None = None
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if line.startswith("["):
            line = _COUNTERS.sub("", line)
        if not line or line.startswith("#"):
            unreadable += _INCOMPATIBLE.findall(line)
            continue
        if line.startswith("*"):
            current = tables.setdefault(line[1:], {})
        elif line == "COMMIT":
            current = None
        elif current is None:
            raise ObserveError(part, f"line {number} stands outside of a table: {line[:80]!r}")
        else:
            _line(current, line, part, number)
    found = {t: {n: Chain(n, p, tuple(r)) for n, (p, r) in c.items()} for t, c in tables.items()}
    return Ruleset(found, tuple(sorted(unreadable)))


_Table = dict[str, tuple[str, list[Rule]]]


def _line(table: _Table, line: str, part: str, number: int) -> None:
    if declared := _CHAIN.match(line):
        table[declared[1]] = (declared[2], [])
        return
    try:
        found = words(line)
    except OpenQuoteError as error:
        raise ObserveError(part, f"line {number} has an open quote: {line[:80]!r}") from error
    if len(found) < 2 or not _command(table, found, line):
        raise ObserveError(part, f"line {number} is neither a chain nor a rule: {line[:80]!r}")


def _command(table: _Table, found: list[str], line: str) -> bool:
    """What files written by hand have beside `-A`: `-I` (in front, or at a place), `-N`, `-P`."""
    command, name, *rest = found
    if command in {"-A", "--append"}:
        table.setdefault(name, ("-", []))[1].append(Rule(normal(rest), line))
    elif command in {"-I", "--insert"}:
        placed = bool(rest) and rest[0].isascii() and rest[0].isdigit() and len(rest[0]) < 9
        place = int(rest[0]) if placed else 1
        table.setdefault(name, ("-", []))[1].insert(place - 1, Rule(normal(rest[placed:]), line))
    elif command in {"-N", "--new-chain"}:
        table.setdefault(name, ("-", []))
    elif command in {"-P", "--policy"} and rest:
        table[name] = (rest[0], table[name][1] if name in table else [])
    else:
        return False
    return True


def rule(text: str) -> Rule:
    """The rule written as the part behind `-A CHAIN`; for renderers, so that both sides have one normal form."""
    return Rule(normal(words(text)), text)
