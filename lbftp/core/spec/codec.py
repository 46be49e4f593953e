"""A cluster to and from JSON-ready dicts, the form of revisions, drafts and YAML files."""

from __future__ import annotations

from dataclasses import asdict, fields
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any, Final

from lbftp.core.spec.cluster import ClusterSpec
from lbftp.core.spec.parts import HealthCheck, PortRange, RealServerSpec, RouterSpec, SorryServer, Vrrp
from lbftp.core.spec.values import SpecError, parsed, plain

_CLUSTER: Final = {
    "vip": IPv4Address, "floating": IPv4Address, "internal_network": IPv4Network,
    "vip6": IPv6Address, "floating6": IPv6Address, "internal_network6": IPv6Network,
}  # fmt: skip
_HOST: Final = {"address": IPv4Address, "address6": IPv6Address}
_ROUTER: Final = {
    "public_address": IPv4Interface, "internal_address": IPv4Interface,
    "public_address6": IPv6Interface, "internal_address6": IPv6Interface,
}  # fmt: skip
_PARTS: Final[dict[str, type]] = {"passive": PortRange, "check": HealthCheck, "vrrp": Vrrp}
_LISTS: Final = ("control_ports", "implicit_ports", "scheduler_flags")


def to_json(spec: ClusterSpec) -> dict[str, Any]:
    """A JSON-ready dict; `from_json` gives the equal spec back."""
    found: dict[str, Any] = plain(asdict(spec))
    return found


def from_json(data: dict[str, Any]) -> ClusterSpec:
    """The spec that `to_json` wrote, or one typed by a person. Raises SpecError naming the field."""
    data = modern(dict(data))
    known = {f.name for f in fields(ClusterSpec)}
    if unknown := sorted(set(data) - known):
        raise SpecError(unknown[0], "is not a field of a cluster; known fields: " + ", ".join(sorted(known)))
    try:
        return _build(data)
    except KeyError as error:
        raise SpecError(str(error.args[0]), "is missing") from error
    except (TypeError, AttributeError) as error:
        raise SpecError("cluster", f"does not have the expected form: {error}") from error


def modern(data: dict[str, Any]) -> dict[str, Any]:
    """The form of today for what earlier versions wrote; changes `data`. An old name beside its new one is left."""
    if "control_port" in data and "control_ports" not in data:
        data["control_ports"] = [data.pop("control_port")]
    if "vrrp" not in data and (old := {name: data.pop(name) for name in ("vrid", "advert_int") if name in data}):
        data["vrrp"] = {**old, "internal_vrid": old.get("vrid", 21)}
    return data


def _build(data: dict[str, Any]) -> ClusterSpec:
    data |= _addresses(data, _CLUSTER)
    data["routers"] = tuple(RouterSpec(**_filled(r, _ROUTER, None)) for r in data["routers"])
    data["real_servers"] = tuple(
        RealServerSpec(**{**s, **_addresses(s, _HOST, "real_servers")}) for s in data["real_servers"]
    )
    for field, part in _PARTS.items():
        if field in data:
            data[field] = part(**data[field])
    if "sorry_server" in data:
        sorry = data["sorry_server"] or {}
        data["sorry_server"] = SorryServer(**{**sorry, **_addresses(sorry, _HOST, "sorry_server")})
    for field in _LISTS:
        if field in data:
            data[field] = _list(field, data[field])
    return ClusterSpec(**data)


def _addresses(data: dict[str, Any], wanted: dict[str, Any], field: str = "") -> dict[str, Any]:
    """The addresses in `data`, parsed; '' and None are none."""
    return {
        name: parsed(type_, field or name, data[name]) if data[name] not in (None, "") else None
        for name, type_ in wanted.items()
        if name in data
    }


def _filled(data: dict[str, Any], wanted: dict[str, Any], nothing: None) -> dict[str, Any]:
    """A router's fields; addresses of an IP version that it lacks may be left out."""
    return {**dict.fromkeys(wanted, nothing), **data, **_addresses(data, wanted)}


def _list(field: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise SpecError(field, f"{str(value)[:40]!r} is not a list")
    return tuple(value)
