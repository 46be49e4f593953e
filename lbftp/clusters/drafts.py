"""The form of a draft: a spec's JSON without what the inventory knows, read off the model's dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from typing import Any, Final

from lbftp.core.spec import ClusterSpec, RealServerSpec, RouterSpec
from lbftp.core.spec.codec import modern
from lbftp.core.spec.values import plain

Draft = Mapping[str, Any]

# What a draft says of a machine; the rest is the inventory's.
_INVENTORY: Final = ("address", "interface")
# The guide's: the router with the higher number is the master.
PRIORITIES: Final = (100, 50)


def _own(part: type) -> dict[str, Any]:
    """Fields of a machine that a draft holds, with their defaults; None where there is none."""
    known = [f for f in fields(part) if f.name != "name" and not any(word in f.name for word in _INVENTORY)]
    return {f.name: None if f.default is MISSING else f.default for f in known}


MACHINES: Final[dict[str, dict[str, Any]]] = {"routers": _own(RouterSpec), "real_servers": _own(RealServerSpec)}
DRAFT_FIELDS: Final = tuple(f.name for f in fields(ClusterSpec) if f.name != "name" and f.name not in MACHINES) + tuple(
    MACHINES
)


def draft_defaults() -> dict[str, Any]:
    """A draft with the guide's values, nothing chosen yet. '' is an address that is not given."""
    defaults = {f.name: f.default for f in fields(ClusterSpec)}
    return {name: [] if name in MACHINES else _typed(defaults[name]) for name in DRAFT_FIELDS}


def complete(draft: Draft) -> dict[str, Any]:
    """`draft` in the form of today: old names translated, what is missing filled with the guide's values.

    What is of the wrong kind stays as it is; the model refuses it.
    """
    given = modern(dict(draft))
    filled = _filled(draft_defaults(), given)
    for field, own in MACHINES.items():
        if isinstance(filled[field], list):
            filled[field] = [_machine(item, own) for item in filled[field]]
    return filled


def _typed(default: Any) -> Any:
    """A default as JSON, empty addresses as the empty text that forms and files have."""
    value = plain(asdict(default)) if is_dataclass(default) and not isinstance(default, type) else plain(default)
    if isinstance(value, dict):
        return {k: _typed(v) for k, v in value.items()}
    return "" if value is None else value


def _filled(defaults: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    found = {**defaults, **given}
    for name, default in defaults.items():
        if isinstance(default, dict) and isinstance(given.get(name), dict):
            found[name] = {**default, **given[name]}
        elif given.get(name) is None:
            found[name] = default
    return found


def _machine(item: Any, own: dict[str, Any]) -> Any:
    return {**{k: v for k, v in own.items() if v is not None}, **item} if isinstance(item, dict) else item


# Where the form's name is not the last word of the path in the draft: the names that the model's problems have.
_NAMES: Final[dict[tuple[str, ...], str]] = {
    ("passive", "low"): "passive_low",
    ("passive", "high"): "passive_high",
    ("check", "kind"): "check",
    ("sorry_server", "address"): "sorry_server",
    ("sorry_server", "address6"): "sorry_server6",
}


def _paths(draft: Mapping[str, Any], above: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for key, value in draft.items():
        path = (*above, key)
        found |= _paths(value, path) if isinstance(value, dict) else {_NAMES.get(path, key): path}
    return found


# Form name -> where the value is in a draft. Machines are rows of their own.
PATHS: Final = _paths({k: v for k, v in draft_defaults().items() if k not in MACHINES})


def flat(draft: Mapping[str, Any]) -> dict[str, Any]:
    """A complete draft's values by the form's names."""
    return {name: _at(draft, path) for name, path in PATHS.items()}


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """The draft that these values make, without machines."""
    draft: dict[str, Any] = {}
    for name, path in PATHS.items():
        place = draft
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = values[name]
    return draft


def _at(draft: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = draft
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
