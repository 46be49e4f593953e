"""What a router holds, as values. `lbftp.core.observe.answer` makes them from a router's answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from typing import Literal

from lbftp.core.observe.iptables import Ruleset
from lbftp.core.observe.ipvs import Service

Platform = Literal["debian", "redhat"]


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd unit: whether it exists, its ActiveState, its UnitFileState (systemctl(1))."""

    name: str
    exists: bool
    active: str
    enabled: str

    @property
    def starts_at_boot(self) -> bool:
        """A static unit is pulled in by others, so it starts as well."""
        return self.enabled in {"enabled", "enabled-runtime", "static", "alias", "indirect", "generated"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What kind of router it is. `keepalived` and `iptables` are versions, '' if the program is missing."""

    hostname: str
    platform: Platform
    os: str
    kernel: str
    keepalived: str
    iptables: str
    interfaces: Mapping[str, tuple[IPv4Interface, ...]]
    listening: frozenset[tuple[str, int]]

    @property
    def rules_path(self) -> str:
        """Where this platform keeps its saved IPv4 rules."""
        return "/etc/sysconfig/iptables" if self.platform == "redhat" else "/etc/iptables/rules.v4"

    @property
    def firewall_unit(self) -> str:
        """The unit that loads the saved rules at boot."""
        return "iptables.service" if self.platform == "redhat" else "netfilter-persistent.service"


@dataclass(frozen=True, slots=True)
class Observed:
    """One router at one moment. A file that is not there has the content None."""

    router: str
    facts: Facts
    modules: frozenset[str]
    sysctls: Mapping[str, str]
    running: Ruleset
    saved: Ruleset
    services: Mapping[str, Service]
    files: Mapping[str, str | None]
    units: Mapping[str, Unit]
    others: Mapping[str, str] = field(default_factory=dict)

    def holds(self, address: str) -> bool:
        """Whether an interface has `address` now, floating or not."""
        return any(str(i.ip) == address for found in self.facts.interfaces.values() for i in found)

    def unit(self, name: str) -> Unit:
        """The unit, or one that does not exist."""
        return self.units.get(name, Unit(name, False, "inactive", ""))
