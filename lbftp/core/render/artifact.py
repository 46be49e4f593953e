"""What a router must hold for one cluster, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lbftp.core.observe.iptables import Rule
from lbftp.core.observe.ipvs import Service

HEADER: Final = (
    "# lbftp owns this file. Change the cluster on the site instead: compliance puts edits made here back.",
    "# Cluster: {name} (on the site: Clusters, {name}; on the command line: manage.py lbftp status {name})",
)


@dataclass(frozen=True, slots=True)
class OwnChain:
    """A chain that is ours alone, and the one jump from a built-in chain that leads to it."""

    table: str
    name: str
    builtin: str
    rules: tuple[Rule, ...]

    @property
    def jump(self) -> Rule:
        return Rule(("-j", self.name), f"-j {self.name}")


@dataclass(frozen=True, slots=True)
class Desired:
    """One cluster's part of one router."""

    cluster: str
    router: str
    modules: tuple[str, ...]
    sysctls: tuple[tuple[str, str], ...]
    chains: tuple[OwnChain, ...]
    service: Service
    keepalived_path: str
    keepalived_text: str
    module_file: tuple[str, str]
    sysctl_file: tuple[str, str]
    rules_path: str
    units: tuple[str, ...]


def header(name: str) -> list[str]:
    """The first lines of every file of ours."""
    return [line.format(name=name) for line in HEADER]
