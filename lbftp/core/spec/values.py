"""The allow-lists: what a single value may be. Every check raises SpecError for the field it is given."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import Any, Final, Literal, TypeVar

Family = Literal[4, 6]
FAMILIES: Final[tuple[Family, ...]] = (4, 6)
Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
Network = IPv4Network | IPv6Network
_T = TypeVar("_T", IPv4Address, IPv6Address, IPv4Network, IPv6Network, IPv4Interface, IPv6Interface)

_CLUSTER_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,15}")
HOST_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
# Linux: IFNAMSIZ is 16 with the terminating NUL.
_INTERFACE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")


class SpecError(ValueError):
    """A value the model does not accept. `field` names it as forms and YAML files do; the text says what to do."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


def cluster_name(value: str, field: str = "name") -> str:
    """`value` if it may name a cluster: it becomes part of a file's, a chain's and a VRRP instance's name."""
    if not isinstance(value, str) or not _CLUSTER_NAME.fullmatch(value):
        raise SpecError(field, "use 1-16 lower-case letters, digits and hyphens, beginning with a letter")
    return value


def host_name(field: str, value: object) -> None:
    if not isinstance(value, str) or not HOST_NAME.fullmatch(value):
        raise SpecError(
            field,
            f"{str(value)[:40]!r} is not a host name: 1-32 letters, digits, '.', '_', '-', a letter or digit first",
        )


def interface_name(field: str, value: object) -> None:
    if not isinstance(value, str) or not _INTERFACE.fullmatch(value):
        raise SpecError(field, f"{str(value)[:40]!r} is not an interface name: 1-15 letters, digits, '.', '_' and '-'")


def integer(field: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise SpecError(field, f"{str(value)[:40]!r} is not a whole number from {low} to {high}")


def flag(field: str, value: object) -> None:
    if not isinstance(value, bool):
        raise SpecError(field, f"{str(value)[:40]!r} is neither true nor false")


def one_of(field: str, value: object, known: Iterable[str], what: str) -> None:
    words = tuple(known)
    if not isinstance(value, str) or value not in words:
        raise SpecError(field, f"{str(value)[:40]!r} is not {what}; use one of {', '.join(words)}")


def kind(field: str, value: object, wanted: type, *, optional: bool = False) -> None:
    """Whether `value` is a parsed `wanted`; an address with a scope (`%…`) is none, because its text is free."""
    if optional and value is None:
        return
    if not isinstance(value, wanted) or "%" in str(value):
        raise SpecError(field, f"{str(value)[:60]!r} is not an {wanted.__name__}")


def unique(field: str, values: list[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise SpecError(field, f"{value} is there twice: name each one once")


_EXAMPLES: Final[dict[type, str]] = {
    IPv4Address: "IPv4 address such as 192.0.2.100",
    IPv6Address: "IPv6 address such as 2001:db8::100",
    IPv4Network: "IPv4 network such as 10.0.50.0/24",
    IPv6Network: "IPv6 network such as fd00:50::/64",
    IPv4Interface: "IPv4 address with a prefix such as 192.0.2.2/24",
    IPv6Interface: "IPv6 address with a prefix such as 2001:db8::2/64",
}


def parsed(wanted: type[_T], field: str, value: object) -> _T:
    """An address, network or interface typed by a person. Raises SpecError for `field`."""
    try:
        if "%" in str(value):
            raise ValueError("scoped")
        return wanted(str(value))
    except ValueError as error:
        raise SpecError(field, f"{str(value)[:60]!r} is not an {_EXAMPLES[wanted]}") from error


def canonical(value: object) -> str:
    """JSON text with one form only: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def plain(value: Any) -> Any:
    """Dataclass dicts with addresses as text and tuples as lists."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value if isinstance(value, (int, str)) or value is None else str(value)
