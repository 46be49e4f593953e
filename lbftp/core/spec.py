"""What a team wants: one FTP cluster behind a pair of LVS routers, as immutable values.

Every value that reaches a configuration line or a shell is checked here, once, by an allow-list. A spec that exists is
therefore safe to render; the renderers check again all the same (`lbftp.core.render`).
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any, Final

# The packet scheduler modules of the Linux kernel (net/netfilter/ipvs, ipvsadm(8) -s).
SCHEDULERS: Final = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh")

_CLUSTER_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,15}")
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
# Linux: IFNAMSIZ is 16 with the terminating NUL.
_INTERFACE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")


class SpecError(ValueError):
    """A value the model does not accept. `field` names it as forms and YAML files do; the text says what to do."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


def _name(field: str, value: str) -> None:
    if not isinstance(value, str) or not _HOST_NAME.fullmatch(value):
        raise SpecError(
            field,
            f"{str(value)[:40]!r} is not a host name: 1-32 letters, digits, '.', '_', '-', a letter or digit first",
        )


def _interface(field: str, value: str) -> None:
    if not isinstance(value, str) or not _INTERFACE.fullmatch(value):
        raise SpecError(field, f"{str(value)[:40]!r} is not an interface name: 1-15 letters, digits, '.', '_' and '-'")


def _integer(field: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise SpecError(field, f"{str(value)[:40]!r} is not a whole number from {low} to {high}")


def _unique(field: str, values: list[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise SpecError(field, f"{value} is there twice: name each one once")


@dataclass(frozen=True, slots=True, order=True)
class PortRange:
    """Inclusive TCP port range, `1024 <= low <= high <= 65535` (guide: "all available non-secured ports")."""

    low: int
    high: int

    def __post_init__(self) -> None:
        _integer("passive_low", self.low, 1024, 65535)
        _integer("passive_high", self.high, 1024, 65535)
        if self.low > self.high:
            raise SpecError("passive_high", f"the range {self.low}-{self.high} is reversed: give the lower port first")

    def __contains__(self, port: object) -> bool:
        return isinstance(port, int) and self.low <= port <= self.high

    def __str__(self) -> str:
        return f"{self.low}-{self.high}"

    def overlaps(self, other: PortRange) -> bool:
        return self.low <= other.high and other.low <= self.high

    @property
    def size(self) -> int:
        return self.high - self.low + 1


@dataclass(frozen=True, slots=True)
class RealServerSpec:
    """One FTP server behind the routers. `weight` 0 keeps it configured but gives it no new clients."""

    name: str
    address: IPv4Address
    weight: int = 1

    def __post_init__(self) -> None:
        _name("real_servers", self.name)
        _integer("weight", self.weight, 0, 65535)


@dataclass(frozen=True, slots=True)
class RouterSpec:
    """One LVS router: its interfaces with its own (not floating) addresses, and its VRRP priority (RFC 5798: 1-254)."""

    name: str
    public_interface: str
    public_address: IPv4Interface
    internal_interface: str
    internal_address: IPv4Interface
    priority: int

    def __post_init__(self) -> None:
        _name("routers", self.name)
        _interface("public_interface", self.public_interface)
        _interface("internal_interface", self.internal_interface)
        _integer("priority", self.priority, 1, 254)


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """keepalived's TCP_CHECK on the control port: seconds between rounds, seconds to connect, further tries."""

    delay_loop: int = 10
    connect_timeout: int = 3
    retry: int = 2

    def __post_init__(self) -> None:
        _integer("delay_loop", self.delay_loop, 1, 3600)
        _integer("connect_timeout", self.connect_timeout, 1, 300)
        _integer("retry", self.retry, 0, 100)


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """One FTP cluster, the guide's way: NAT, firewall mark, the `ip_vs_ftp` helper, IPv4.

    `vip` is the public floating address, `floating` the internal one that real servers use as their default route;
    both move together. Routers and real servers are held sorted by name, so equal clusters are equal values.
    """

    name: str
    vip: IPv4Address
    floating: IPv4Address
    internal_network: IPv4Network
    routers: tuple[RouterSpec, ...]
    real_servers: tuple[RealServerSpec, ...]
    mark: int = 21
    control_port: int = 21
    passive: PortRange = PortRange(10000, 20000)
    scheduler: str = "wlc"
    persistence_timeout: int = 360
    vrid: int = 21
    advert_int: int = 1
    check: HealthCheck = HealthCheck()

    def __post_init__(self) -> None:
        cluster_name(self.name)
        _integer("mark", self.mark, 1, 0xFFFFFFFF)
        _integer("control_port", self.control_port, 1, 65535)
        _integer("persistence_timeout", self.persistence_timeout, 0, 31 * 86400)
        _integer("vrid", self.vrid, 1, 255)
        _integer("advert_int", self.advert_int, 1, 255)
        if self.scheduler not in SCHEDULERS:
            raise SpecError(
                "scheduler", f"{self.scheduler!r} is not a scheduler of IPVS; use one of {', '.join(SCHEDULERS)}"
            )
        object.__setattr__(self, "routers", tuple(sorted(self.routers, key=lambda r: r.name)))
        object.__setattr__(self, "real_servers", tuple(sorted(self.real_servers, key=lambda s: s.name)))
        _unique("routers", [r.name for r in self.routers])
        _unique("real_servers", [s.name for s in self.real_servers])
        _unique("real_servers", [str(s.address) for s in self.real_servers])

    @property
    def key(self) -> str:
        """Identity: a cluster stays the same one while its values change."""
        return self.name

    def router(self, name: str) -> RouterSpec:
        """The router called `name`. Raises KeyError."""
        for router in self.routers:
            if router.name == name:
                return router
        raise KeyError(name)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over the canonical JSON: equal specs, equal digests, in any process."""
        return hashlib.sha256(canonical(to_json(self)).encode()).hexdigest()


def cluster_name(value: str) -> str:
    """`value` if it may name a cluster: it becomes part of a file's, a chain's and a VRRP instance's name."""
    if not isinstance(value, str) or not _CLUSTER_NAME.fullmatch(value):
        raise SpecError("name", "use 1-16 lower-case letters, digits and hyphens, beginning with a letter")
    return value


def canonical(value: object) -> str:
    """JSON text with one form only: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def to_json(spec: ClusterSpec) -> dict[str, Any]:
    """A JSON-ready dict; `from_json` gives the equal spec back."""
    return _plain(asdict(spec))  # type: ignore[no-any-return]


def from_json(data: dict[str, Any]) -> ClusterSpec:
    """The spec that `to_json` wrote, or one typed by a person. Raises SpecError naming the field."""
    known = {f.name for f in fields(ClusterSpec)}
    if unknown := sorted(set(data) - known):
        raise SpecError(unknown[0], "is not a field of a cluster; known fields: " + ", ".join(sorted(known)))
    try:
        return _build(dict(data))
    except KeyError as error:
        raise SpecError(str(error.args[0]), "is missing") from error
    except (TypeError, AttributeError) as error:
        raise SpecError("cluster", f"does not have the expected form: {error}") from error


def _build(data: dict[str, Any]) -> ClusterSpec:
    data["vip"] = ipv4("vip", data["vip"])
    data["floating"] = ipv4("floating", data["floating"])
    data["internal_network"] = ipv4_network("internal_network", data["internal_network"])
    data["routers"] = tuple(_router(r) for r in data["routers"])
    data["real_servers"] = tuple(
        RealServerSpec(**{**s, "address": ipv4("real_servers", s["address"])}) for s in data["real_servers"]
    )
    if "passive" in data:
        data["passive"] = PortRange(**data["passive"])
    if "check" in data:
        data["check"] = HealthCheck(**data["check"])
    return ClusterSpec(**data)


def _router(data: dict[str, Any]) -> RouterSpec:
    return RouterSpec(
        **{
            **data,
            "public_address": ipv4_interface("public_address", data["public_address"]),
            "internal_address": ipv4_interface("internal_address", data["internal_address"]),
        }
    )


def ipv4(field: str, value: object) -> IPv4Address:
    """An IPv4 address typed by a person. Raises SpecError for `field`."""
    try:
        return IPv4Address(str(value))
    except ValueError as error:
        raise SpecError(field, f"{str(value)[:60]!r} is not an IPv4 address such as 192.0.2.100") from error


def ipv4_network(field: str, value: object) -> IPv4Network:
    """An IPv4 network in CIDR form, host bits zero. Raises SpecError for `field`."""
    try:
        return IPv4Network(str(value))
    except ValueError as error:
        raise SpecError(field, f"{str(value)[:60]!r} is not an IPv4 network such as 10.0.50.0/24") from error


def ipv4_interface(field: str, value: object) -> IPv4Interface:
    """An IPv4 address with its prefix length. Raises SpecError for `field`."""
    try:
        return IPv4Interface(str(value))
    except ValueError as error:
        raise SpecError(field, f"{str(value)[:60]!r} is not an address with a prefix such as 192.0.2.2/24") from error


def _plain(value: Any) -> Any:
    """Dataclass dicts with addresses as text and tuples as lists."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value if isinstance(value, (int, str)) or value is None else str(value)
