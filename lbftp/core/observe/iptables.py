"""`iptables-save` text (also the saved files of both platforms) -> Ruleset. The only place that normalises rules.

Both back ends (legacy and nf_tables) and both ages of syntax come out as the same tokens, so that equality is `==`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from lbftp.core.observe.errors import ObserveError

_COUNTERS: Final = re.compile(r"^\[\d+:\d+\] ")
_CHAIN: Final = re.compile(r"^:(\S+) (\S+)(?: \[\d+:\d+\])?$")
# /etc/protocols gives names where it is installed, numbers where it is not (IANA protocol numbers).
_PROTOCOLS: Final = {"6": "tcp", "17": "udp", "1": "icmp", "vrrp": "112"}
_ADDRESS_OPTIONS: Final = frozenset({"-s", "-d", "--source", "--destination"})
_LONG: Final = {
    "--source": "-s",
    "--destination": "-d",
    "--protocol": "-p",
    "--jump": "-j",
    "--goto": "-g",
    "--in-interface": "-i",
    "--out-interface": "-o",
    "--match": "-m",
    "--source-port": "--sport",
    "--destination-port": "--dport",
}
_ENDS: Final = frozenset({"DROP", "REJECT"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a chain. `tokens` is the normal form and alone decides equality; `text` is as it was printed."""

    tokens: tuple[str, ...]
    text: str = field(compare=False)

    @property
    def target(self) -> str:
        """The `-j` or `-g` target, '' if the rule only counts."""
        for option, value in zip(self.tokens, self.tokens[1:], strict=False):
            if option in {"-j", "-g"}:
                return value
        return ""

    @property
    def sets_mark(self) -> int | None:
        """The firewall mark this rule sets, with its mask applied; None if it sets none."""
        if self.target != "MARK" or "--set-xmark" not in self.tokens:
            return None
        value, _, mask = self.tokens[self.tokens.index("--set-xmark") + 1].partition("/")
        return int(value, 16) & int(mask, 16)


@dataclass(frozen=True, slots=True)
class Chain:
    """`policy` is ACCEPT or DROP of a built-in chain, '-' of a user's."""

    name: str
    policy: str
    rules: tuple[Rule, ...] = ()

    @property
    def drops_by_default(self) -> bool:
        """Whether a packet that no rule speaks of is lost: by policy, or by a rule for everything at the end."""
        return self.policy in _ENDS or any(r.target in _ENDS and r.tokens[0] == "-j" for r in self.rules)

    def jumps_to(self, name: str) -> int:
        """How many rules jump to the chain `name` without any condition."""
        return sum(r.tokens == ("-j", name) for r in self.rules)


Table = Mapping[str, Chain]


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Tables by name, each with its chains by name in the order printed."""

    tables: Mapping[str, Table] = field(default_factory=dict)

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
    tables: dict[str, dict[str, tuple[str, list[Rule]]]] = {}
    current: dict[str, tuple[str, list[Rule]]] | None = None
    for number, raw in enumerate(text.split("\n"), 1):
        line = _COUNTERS.sub("", raw.strip())
        if not line or line.startswith("#"):
            continue
        if line.startswith("*"):
            current = tables.setdefault(line[1:], {})
        elif line == "COMMIT":
            current = None
        elif current is None:
            raise ObserveError(part, f"line {number} stands outside of a table: {line[:80]!r}")
        else:
            _line(current, line, part, number)
    return Ruleset({t: {n: Chain(n, p, tuple(r)) for n, (p, r) in c.items()} for t, c in tables.items()})


def _line(table: dict[str, tuple[str, list[Rule]]], line: str, part: str, number: int) -> None:
    if declared := _CHAIN.match(line):
        table[declared[1]] = (declared[2], [])
        return
    words = _words(line, part, number)
    if len(words) < 2 or words[0] not in {"-A", "--append"}:
        raise ObserveError(part, f"line {number} is neither a chain nor a rule: {line[:80]!r}")
    table.setdefault(words[1], ("-", []))[1].append(Rule(normal(words[2:]), line))


def _words(line: str, part: str, number: int) -> list[str]:
    if '"' not in line and "'" not in line and "\\" not in line:
        return line.split()
    try:
        return shlex.split(line)
    except ValueError as error:
        raise ObserveError(part, f"line {number} has an open quote: {line[:80]!r}") from error


def rule(text: str) -> Rule:
    """The rule written as the part behind `-A CHAIN`; for renderers, so that both sides have one normal form."""
    return Rule(normal(shlex.split(text)), text)


def normal(words: list[str]) -> tuple[str, ...]:
    """Tokens of a rule in normal form: short options, no implied `-m tcp`, no `/32`, marks as 0x…/0x…."""
    out: list[str] = []
    protocol = ""
    index = 0
    while index < len(words):
        option = _LONG.get(words[index], words[index])
        value = words[index + 1] if index + 1 < len(words) else ""
        if option == "-m" and value == protocol:
            index += 2
            continue
        out.append("--set-xmark" if option == "--set-mark" else option)
        index += 1
        if option.startswith("-") and value and not value.startswith("-") and value != "!":
            value = _value(option, value)
            protocol = value if option == "-p" else protocol
            out.append(value)
            index += 1
    return tuple(out)


def _value(option: str, value: str) -> str:
    if option in _ADDRESS_OPTIONS:
        return value.removesuffix("/32")
    if option == "-p":
        return _PROTOCOLS.get(value, value)
    if option in {"--set-xmark", "--set-mark", "--mark"}:
        return _mark(value, "" if option == "--mark" else "/0xffffffff")
    if option in {"--ctstate", "--state"}:
        return ",".join(sorted(value.split(",")))
    return value


def _mark(value: str, full: str) -> str:
    number, slash, mask = value.partition("/")
    try:
        plain = f"{int(number, 0):#x}"
        return plain + (f"/{int(mask, 0):#x}" if slash else full)
    except ValueError:
        return value
