"""The normal form of one rule's words: what iptables-save prints now, without what goes without saying.

Sources: iptables(8), iptables-extensions(8), and what 1.8.9 of both back ends printed for each spelling (tests/kernel).
Pure and fast: a router may have ten thousand rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import ip_network
from typing import Final

from lbftp.core.observe.iptables_names import ICMP_TYPES, ICMPV6_TYPES, LONG, PORTS, PROTOCOLS

_QUOTED: Final = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.)*")+', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)

# Their value is free text: it may look like an option.
FREE: Final = frozenset({"--comment", "--log-prefix", "--nflog-prefix", "--string", "--hex-string", "--name"})
# iptables-save prints these first, in this order, wherever they were written.
_GENERIC: Final = {"-s": 0, "-d": 1, "-i": 2, "-o": 3, "-p": 4}
_FLAGS: Final = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")
_EVERYWHERE: Final = frozenset({"0.0.0.0/0", "::/0"})
_SYN: Final = ("--tcp-flags", "FIN,SYN,RST,ACK", "SYN")
_FULL: Final = 0xFFFFFFFF
# Targets that take no options, so that whatever follows them is a condition.
_BARE: Final = frozenset({"ACCEPT", "DROP", "RETURN"})


class OpenQuoteError(ValueError):
    """A quoted word does not end."""


def words(line: str) -> list[str]:
    """A line's words as iptables-restore parts them: double quotes hold words together, a backslash only inside of
    them keeps the next character; single quotes are letters. Raises OpenQuoteError."""
    if '"' not in line:
        return line.split()
    found = _QUOTED.findall(line)
    if '"' in _QUOTED.sub("", line):
        raise OpenQuoteError
    return [_unquoted(word) if '"' in word else word for word in found]


def _unquoted(word: str) -> str:
    parts = re.split(r'"((?:[^"\\]|\\.)*)"', word, flags=re.DOTALL)
    return "".join(_ESCAPED.sub(r"\1", part) if i % 2 else part for i, part in enumerate(parts))


def normal(given: Sequence[str]) -> tuple[str, ...]:
    """Tokens of a rule (without `-A CHAIN`) in normal form."""
    heads: list[tuple[int, tuple[str, ...]]] = []
    rest: list[str] = []
    end: tuple[str, ...] = ()
    protocol = match = ""
    for option, values, negated in _options(given):
        tokens = _normal_option(option, tuple(values), match if option == "--set" else "")
        if negated:
            tokens = ("!", *tokens)
        if option == "-m":
            match = tokens[-1]
            if _goes_without_saying(match, protocol):
                continue
        if option == "-p":
            protocol = tokens[-1]
        if option in _GENERIC:
            if not _says_nothing(option, tokens):
                heads.append((_GENERIC[option], tokens))
        elif option == "-j" and tokens[-1] in _BARE:
            end = tokens
        else:
            rest += tokens
    heads.sort(key=_rank)
    return (*(t for _, tokens in heads for t in tokens), *rest, *end)


def _rank(head: tuple[int, tuple[str, ...]]) -> int:
    return head[0]


def _options(given: Sequence[str]) -> list[tuple[str, list[str], bool]]:
    """(short name, values, whether negated) of each option. A '!' stands before it or, as of old, before its value."""
    found: list[tuple[str, list[str], bool]] = []
    index, negated, count = 0, False, len(given)
    while index < count:
        word = given[index]
        index += 1
        if word == "!":
            negated = True
            continue
        values: list[str] = []
        if word.startswith("--") and "=" in word:
            word, _, value = word.partition("=")
            values.append(value)
        option = LONG.get(word, word)
        if option in FREE:
            if not values and index < count:
                values.append(given[index])
                index += 1
        else:
            if index + 1 < count and given[index] == "!" and not given[index + 1].startswith("-"):
                negated, index = True, index + 1
            while index < count and given[index] != "!" and not given[index].startswith("-"):
                values.append(given[index])
                index += 1
        if option not in {"-c", "--set-counters"}:
            found.append((option, values, negated))
        negated = False
    return found


def _goes_without_saying(match: str, protocol: str) -> bool:
    """`-m tcp` after `-p tcp`; the module of ICMPv6 has another name than its protocol."""
    return match == protocol or (protocol == "ipv6-icmp" and match in {"icmp6", "icmpv6"})


def _says_nothing(option: str, tokens: tuple[str, ...]) -> bool:
    """A condition that every packet meets; iptables-save leaves it out."""
    if tokens[0] == "!":
        return False
    return tokens[-1] == "+" if option in {"-i", "-o"} else tokens[-1] in _EVERYWHERE or tokens[-1] in {"all", "0"}


@lru_cache(maxsize=8192)  # few options make up most rules
def _normal_option(option: str, values: tuple[str, ...], match: str) -> tuple[str, ...]:
    if not values:
        return _SYN if option == "--syn" else (option,)
    if reader := _VALUES.get(option):
        return (option, *map(reader, values))
    if option in _MARKERS:
        return _set_mark(option, values[0])
    if option == "--state":
        return ("--ctstate", _states(values[0]))
    if option == "--set" and match == "set":
        return ("--match-set", *values)
    return () if (option, values[0]) in _DEFAULTS else (option, *values)


def _states(value: str) -> str:
    return ",".join(sorted(value.split(",")))


_DEFAULTS: Final = frozenset({("--limit-burst", "5"), ("--nfmask", "0xffffffff"), ("--ctmask", "0xffffffff")})


def _address(value: str) -> str:
    """An address without its full prefix, a network without host bits; a name or a list stays."""
    try:
        found = ip_network(value, strict=False)
    except ValueError:
        return value
    return str(found.network_address if found.prefixlen == found.max_prefixlen else found)


def _ports(value: str) -> str:
    """A port or LOW:HIGH in numbers; an open end means the outermost port."""
    if value.isdigit():
        return value
    low, colon, high = value.partition(":")
    low, high = PORTS.get(low, low), PORTS.get(high, high)
    if not colon:
        return low
    low, high = low or "0", high or "65535"
    return low if low == high else f"{low}:{high}"


def _first_port(value: str) -> tuple[int, str]:
    digits = value.partition(":")[0]
    return (int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 9 else -1), value


def _flags(value: str) -> str:
    wanted = set(value.split(","))
    if "ALL" in wanted:
        wanted = set(_FLAGS)
    known = [flag for flag in _FLAGS if flag in wanted]
    return ",".join(known) if wanted <= set(_FLAGS) else value


def _rate(value: str) -> str:
    number, _, unit = value.partition("/")
    known = next((u for u in ("second", "minute", "hour", "day") if unit and u.startswith(unit)), "")
    return f"{number}/{ {'second': 'sec', 'minute': 'min'}.get(known, known) }" if known else value


_MARKERS: Final = frozenset({"--set-xmark", "--set-mark", "--or-mark", "--and-mark", "--xor-mark"})


def _set_mark(option: str, value: str) -> tuple[str, str]:
    """Every way of marking as the one that is stored: mark = (mark & ~MASK) ^ VALUE (xt_mark.c, libxt_MARK.c)."""
    number, slash, masked = value.partition("/")
    found, mask = _integer(number), _integer(masked) if slash else _FULL
    if found is None or mask is None:
        return option, value
    if option == "--set-mark":
        mask |= found
    elif option == "--or-mark":
        mask = found
    elif option == "--and-mark":
        found, mask = 0, ~found & _FULL
    elif option == "--xor-mark":
        mask = 0
    return "--set-xmark", f"{found:#x}/{mask:#x}"


def _mark(value: str) -> str:
    number, slash, masked = value.partition("/")
    found, mask = _integer(number), _integer(masked) if slash else _FULL
    if found is None or mask is None:
        return value
    return f"{found:#x}" if mask == _FULL else f"{found:#x}/{mask:#x}"


def _integer(text: str) -> int | None:
    """A number as strtoul(3) reads it, from 0 to 2**32 - 1; None for anything else."""
    if not text.isascii() or len(text) > 12:
        return None
    try:
        found = int(text, 16) if text[:2].lower() == "0x" else int(text, 8 if text[:1] == "0" and len(text) > 1 else 10)
    except ValueError:
        return None
    return found if 0 <= found <= _FULL else None


def _port_list(value: str) -> str:
    """multiport(8): any order means the same."""
    return ",".join(sorted(map(_ports, value.split(",")), key=_first_port))


def _protocol(value: str) -> str:
    return PROTOCOLS.get(value.lower(), value.lower())


def _match(value: str) -> str:
    """`state` is conntrack's older name; both say the same."""
    return "conntrack" if value == "state" else value


_VALUES: Final[dict[str, Callable[[str], str]]] = {
    "-s": _address, "-d": _address, "-p": _protocol, "-m": _match,
    "--sport": _ports, "--dport": _ports, "--sports": _port_list, "--dports": _port_list, "--ports": _port_list,
    "--to-source": _address, "--ctstate": _states, "--mark": _mark, "--tcp-flags": _flags, "--limit": _rate,
    "--icmp-type": lambda value: ICMP_TYPES.get(value, value),
    "--icmpv6-type": lambda value: ICMPV6_TYPES.get(value, value),
}  # fmt: skip
