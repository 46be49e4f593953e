"""What a router holds, as values. `lbftp.core.observe.answer` makes them from a router's answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lbftp.core.observe.beside import Beside
from lbftp.core.observe.checkpoints import Checkpoint
from lbftp.core.observe.iptables import Ruleset
from lbftp.core.observe.ipvs import Service
from lbftp.core.observe.nftables import NftRuleset
from lbftp.core.spec import Family
from lbftp.core.spec.values import Interface

Platform = Literal["debian", "redhat"]
Firewall = Literal["iptables", "nftables", "firewalld"]


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

    @property
    def masked(self) -> bool:
        """Whether nothing can start it (systemctl(1), mask)."""
        return self.enabled.startswith("masked")


@dataclass(frozen=True, slots=True)
class Facts:
    """What kind of router it is. `keepalived`, `iptables` and `nft` are versions, '' if the program is missing."""

    hostname: str
    platform: Platform
    os: str
    kernel: str
    keepalived: str
    iptables: str
    interfaces: Mapping[str, tuple[Interface, ...]]
    listening: frozenset[tuple[str, int]]
    nft: str = ""

    @property
    def rules_path(self) -> str:
        """Where this platform keeps its saved IPv4 rules."""
        return self.saved_path(4)

    @property
    def firewall_unit(self) -> str:
        """The unit that loads the saved IPv4 rules at boot."""
        return self.saved_unit(4)

    def saved_path(self, family: Family) -> str:
        """Where this platform keeps the saved rules of an IP version."""
        if self.platform == "redhat":
            return "/etc/sysconfig/iptables" if family == 4 else "/etc/sysconfig/ip6tables"
        return "/etc/iptables/rules.v4" if family == 4 else "/etc/iptables/rules.v6"

    def saved_unit(self, family: Family) -> str:
        """The unit that loads them at boot: Debian has one for both IP versions."""
        if self.platform == "redhat":
            return "iptables.service" if family == 4 else "ip6tables.service"
        return "netfilter-persistent.service"


@dataclass(frozen=True, slots=True)
class Observed:
    """One router at one moment. A file that is not there has the content None.

    `running6` and `saved6` are the IPv6 rules; `nft` is what nft(8) lists, None if it could not be asked.
    `checkpoints` are the ways back that lie there, the oldest first.
    `module_parameters` has 'ip_vs_ftp.ports' -> '21,2121', as the loaded module has it.
    """

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
    running6: Ruleset = field(default_factory=Ruleset)
    saved6: Ruleset = field(default_factory=Ruleset)
    nft: NftRuleset | None = None
    module_parameters: Mapping[str, str] = field(default_factory=dict)
    beside: Beside = field(default_factory=Beside)
    checkpoints: tuple[Checkpoint, ...] = ()

    def holds(self, address: str) -> bool:
        """Whether an interface has `address` now, floating or not."""
        return any(str(i.ip) == address for found in self.facts.interfaces.values() for i in found)

    def unit(self, name: str) -> Unit:
        """The unit, or one that does not exist."""
        return self.units.get(name, Unit(name, False, "inactive", ""))

    def rules(self, family: Family) -> Ruleset:
        """The iptables rules of an IP version that run now."""
        return self.running if family == 4 else self.running6

    def saved_rules(self, family: Family) -> Ruleset:
        return self.saved if family == 4 else self.saved6

    @property
    def firewall(self) -> Firewall:
        """What owns the packet filter here: what a boot starts. iptables where nothing else is used."""
        if self.unit("firewalld.service").active == "active":
            return "firewalld"
        saved_rules = self.unit(self.facts.firewall_unit).starts_at_boot
        return "nftables" if self.unit("nftables.service").starts_at_boot and not saved_rules else "iptables"
